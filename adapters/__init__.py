"""One provider a module; each exports `adapter`."""

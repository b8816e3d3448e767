"""A gateway that turns the webhooks of many providers into Lumail events, each delivered once."""

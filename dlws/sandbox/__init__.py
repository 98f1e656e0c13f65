"""Real local nodes: systemd machines of their own on a bridge, for rehearsals and tests."""

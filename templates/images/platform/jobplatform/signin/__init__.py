"""What proves who a person is: providers of sign-in by OpenID Connect, and WeChat."""

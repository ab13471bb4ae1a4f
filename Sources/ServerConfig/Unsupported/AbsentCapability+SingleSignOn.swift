extension AbsentCapability {
  /// Logins by way of another service. Go with single sign-on and delegated authentication.
  static let singleSignOn = AbsentCapability(
    """
    cas_config
    matrix_authentication_service
    oidc_config
    oidc_providers
    saml2_config
    sso
    """,
    guards: [
      Guard("experimental_features.msc3861", .isSet, "accounts would be this server's own"),
      Guard("matrix_authentication_service.enabled", .isTrue, "accounts would be this server's own"),
    ])
}

extension AbsentCapability {
  /// Identity servers asked about others, and mails about notifications and invitations. Go with invitations by address and with the
  /// pushers of mails.
  static let identity = AbsentCapability(
    """
    default_identity_server
    email.client_base_url
    email.enable_notifs
    email.expiry_template_html
    email.expiry_template_text
    email.invite_client_location
    email.notif_delay_before_mail
    email.notif_for_new_users
    email.notif_template_html
    email.notif_template_text
    email.riot_base_url
    email.subjects.invite_from_person
    email.subjects.invite_from_person_to_room
    email.subjects.message_from_person
    email.subjects.message_from_person_in_room
    email.subjects.messages_from_person
    email.subjects.messages_from_person_and_others
    email.subjects.messages_in_room
    email.subjects.messages_in_room_and_others
    enable_3pid_lookup
    invite_3pid_guest
    rc_third_party_invite
    trust_identity_server_for_password_resets
    """)
}

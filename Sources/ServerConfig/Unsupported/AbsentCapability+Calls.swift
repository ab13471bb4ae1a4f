extension AbsentCapability {
  /// Where conferences of calls are. Goes with MatrixRTC.
  static let calls = AbsentCapability(
    """
    matrix_rtc
    """)
}

import ByteText
import EndpointKit
import Foundation
import Testing

@Suite struct HTTPTimeTests {
  @Test(
    arguments: [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777_999, "Sun, 06 Nov 1994 08:49:37 GMT"),
      (951_782_400_000, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_709_251_199_000, "Thu, 29 Feb 2024 23:59:59 GMT"),
      (4_107_542_400_000, "Mon, 01 Mar 2100 00:00:00 GMT"), (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] as [(Int64, Text)])
  func isWrittenAsHeadersHaveIt(milliseconds: Int64, text: Text) {
    #expect(HTTPTime.text(milliseconds: milliseconds) == text)
  }

  @Test func everyDayFollowsTheOneBefore() {
    let form = DateFormatter()
    form.locale = Locale(identifier: "en_US_POSIX" as String)
    form.timeZone = TimeZone(secondsFromGMT: 0)
    form.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'" as String
    for day in stride(from: 0, to: 60_000, by: 13) {
      let date = Date(timeIntervalSince1970: Double(day) * 86_400 + 3_723)
      #expect(HTTPTime.text(milliseconds: Int64(day) * 86_400_000 + 3_723_000) == Text(form.string(from: date)))
    }
  }
}

import FoundationEssentials
import Glibc
import HTTPTypes
import Synchronization

/// The `Date` header field, rendered once a second at most.
final class HTTPDate: Sendable {
  private let cached = Mutex<(second: Int, field: HTTPField)>((.min, HTTPField(name: .date, value: "")))

  /// Renders a time in the form of RFC 9110, section 5.6.7.
  func field(second: Int = Int(time(nil))) -> HTTPField {
    cached.withLock { cached in
      if cached.second != second { cached = (second, HTTPField(name: .date, value: Self.render(second))) }
      return cached.field
    }
  }

  private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  private static func render(_ second: Int) -> String {
    var moment = time_t(second)
    var parts = tm()
    gmtime_r(&moment, &parts)
    let day = days[Int(parts.tm_wday) % days.count]
    let month = months[Int(parts.tm_mon) % months.count]
    let date = "\(day), \(pad(parts.tm_mday)) \(month) \(parts.tm_year + 1900)"
    return "\(date) \(pad(parts.tm_hour)):\(pad(parts.tm_min)):\(pad(parts.tm_sec)) GMT"
  }

  private static func pad(_ number: Int32) -> String {
    number < 10 ? "0\(number)" : String(number)
  }
}

import ByteText

/// Points in time as header fields have them.
public enum HTTPTime {
  private static let days: [Text] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months: [Text] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// Writes a time in the form of RFC 9110, section 5.6.7, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
  ///
  /// - Parameter milliseconds: the time since 1970; what lies before is taken for that year's beginning.
  public static func text(milliseconds: Int64) -> Text {
    let seconds = max(milliseconds, 0) / 1000
    let (day, second) = (seconds / 86_400, seconds % 86_400)
    // Counted from 1 March of the year 0, so that a leap day is the last of its year: 400 years have 146,097 days.
    let shifted = day + 719_468
    let (era, ofEra) = (shifted / 146_097, shifted % 146_097)
    let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
    let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let fromMarch = (5 * ofYear + 2) / 153
    let date = ofYear - (153 * fromMarch + 2) / 5 + 1
    let month = (fromMarch + 2) % 12
    let year = yearOfEra + era * 400 + (month < 2 ? 1 : 0)
    let time = "\(pad(second / 3_600)):\(pad(second / 60 % 60)):\(pad(second % 60))"
    return "\(days[Int(day % 7)]), \(pad(date)) \(months[Int(month)]) \(year) \(time) GMT"
  }

  private static func pad(_ number: Int64) -> Text { number < 10 ? "0\(number)" : Text(number) }
}

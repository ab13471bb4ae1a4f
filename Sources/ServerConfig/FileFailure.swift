import ByteText
import FoundationEssentials
import Glibc

/// The reason why something could not be done with a file.
public enum FileFailure {
  /// Explains an error that Foundation's functions for files throw, by the system's words where there are any.
  public static func reason(of error: any Error) -> Text {
    let cause = (error as? CocoaError)?.underlying ?? error
    guard let cause = cause as? POSIXError else { return Text(describing: cause) }
    return Text(cString: strerror(cause.code.rawValue))
  }
}

import Dispatch
import Glibc

/// An action that runs whenever the process receives a signal, instead of the signal's usual effect.
struct SignalSource {
  private let source: any DispatchSourceSignal

  init(_ number: Int32, _ action: @escaping @Sendable () -> Void) {
    Glibc.signal(number, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "signal.\(number)"))
    source.setEventHandler(handler: action)
    source.resume()
  }

  /// Stops calling the action.
  func cancel() {
    source.cancel()
  }
}

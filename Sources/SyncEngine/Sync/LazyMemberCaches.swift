import MatrixPrimitives
import Stores
import Synchronization

/// The ``LazyMemberCache`` of every device that syncs here, for half an hour after its last use.
final class LazyMemberCaches: Sendable {
  private struct Key: Hashable, Sendable {
    let user: UserID
    let device: Text?
  }

  private struct Slot: Sendable {
    var cache = LazyMemberCache()
    var lastUsed: Int64
  }

  private static let lifetimeMilliseconds: Int64 = 30 * 60 * 1000

  private let slots = Mutex<[Key: Slot]>([:])
  private let clock: ServerClock

  init(clock: ServerClock) { self.clock = clock }

  /// Reads or changes the cache of a device.
  func with<R: Sendable>(_ user: UserID, _ device: Text?, _ body: (inout LazyMemberCache) -> R) -> R {
    let now = clock.monotonicMilliseconds
    let key = Key(user: user, device: device)
    return slots.withLock { slots in
      var slot = slots.removeValue(forKey: key) ?? Slot(lastUsed: now)
      let result = body(&slot.cache)
      slot.lastUsed = now
      slots[key] = slot
      return result
    }
  }

  /// Drops the caches that were unused for half an hour.
  func expire() {
    let limit = clock.monotonicMilliseconds - Self.lifetimeMilliseconds
    slots.withLock { slots in slots = slots.filter { $0.value.lastUsed > limit } }
  }
}

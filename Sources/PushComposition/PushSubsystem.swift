import EventPersistence
import ServiceLifecycle
import Stores
import WorkerRuntime

/// What is unread: the upkeep of the table of push actions.
package struct PushSubsystem: Subsystem {
  private let summaries: PushSummaries

  /// Composes the services.
  package init(_ process: ProcessContext, stores: PushStores) {
    summaries = PushSummaries(
      config: process.config, store: stores.summaries, clock: process.clock, logger: process.logger)
  }

  package var services: [any Service] { [LoopService("push summaries") { [summaries] in await summaries.run() }] }
}

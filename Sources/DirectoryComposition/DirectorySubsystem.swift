import RoomComposition
import ServiceLifecycle
import UserDirectory
import WorkerRuntime

/// The user directory, the statistics that are kept like it, and reports.
package final class DirectorySubsystem: Subsystem {
  /// Searches and mutual rooms.
  package let directory: UserDirectoryService
  /// Reports of content.
  package let reports: ReportService
  private let updater: UserDirectoryUpdater
  private let statistics: StatisticsUpdater
  private let filling: DirectoryFilling

  /// Composes the services.
  package init(_ process: ProcessContext, rooms: RoomSubsystem) {
    let stores = rooms.stores
    directory = UserDirectoryService(stores: stores.directory, accounts: stores.accounts.accounts)
    reports = ReportService(
      stores: stores.directory, rooms: stores.rooms.rooms, accounts: stores.accounts.accounts)
    updater = UserDirectoryUpdater(stores: stores.directory, logger: process.logger)
    statistics = StatisticsUpdater(stores: stores.directory, logger: process.logger)
    filling = DirectoryFilling(stores: stores.directory, logger: process.logger)
  }

  package var services: [any Service] {
    [
      LoopService("user directory") { [updater] in await updater.run() },
      LoopService("statistics") { [statistics] in await statistics.run() },
      LoopService("directory filling") { [filling] in await filling.run() },
    ]
  }
}

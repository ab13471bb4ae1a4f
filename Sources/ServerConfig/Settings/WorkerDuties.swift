import ByteText

/// The processes that do the work that is not tied to a stream.
///
/// The same settings are read by every process, so all of them agree, with the exception of Synapse's old forms
/// (`start_pushers: false` with a worker app of its own), which only the process itself can evaluate.
public struct WorkerDuties: Sendable, Hashable {
  /// The instances that send federation traffic; empty when only an old-style worker is configured to.
  public var federationSenders: [Text]
  /// The instances that run pushers.
  public var pushers: [Text]
  /// Whether this process sends federation traffic.
  public var sendsFederation: Bool
  /// Whether this process runs pushers.
  public var runsPushers: Bool
  /// Whether this process runs periodic jobs.
  public var runsBackgroundTasks: Bool
  /// Whether this process keeps the user directory up to date.
  public var updatesUserDirectory: Bool
  /// Whether this process sends to application services.
  public var notifiesApplicationServices: Bool
  /// The instance that runs periodic jobs.
  public var backgroundTasksInstance: Text

  /// The process that the duties are read for.
  struct Process {
    let app: Text?
    let name: Text?
    var instanceName: Text { name ?? HomeserverConfig.mainInstanceName }
  }

  init(_ root: SettingsSection, process: Process, warnings: inout [Text]) throws(ConfigError) {
    federationSenders = try Self.instances(
      root, process, switchKey: "send_federation", app: "synapse.app.federation_sender",
      listKey: "federation_sender_instances")
    pushers = try Self.instances(
      root, process, switchKey: "start_pushers", app: "synapse.app.pusher", listKey: "pusher_instances")
    sendsFederation = federationSenders.contains(process.instanceName)
    runsPushers = pushers.contains(process.instanceName)
    backgroundTasksInstance = try root.string("run_background_tasks_on") ?? HomeserverConfig.mainInstanceName
    runsBackgroundTasks = backgroundTasksInstance == process.instanceName
    notifiesApplicationServices = try Self.isChosen(
      root, process, switchKey: "notify_appservices", app: "synapse.app.appservice",
      workerKey: "notify_appservices_from_worker", warnings: &warnings)
    updatesUserDirectory = try Self.isChosen(
      root, process, switchKey: "update_user_directory", app: "synapse.app.user_dir",
      workerKey: "update_user_directory_from_worker", warnings: &warnings)
  }

  private static func instances(
    _ root: SettingsSection, _ process: Process, switchKey: Text, app: Text, listKey: Text
  ) throws(ConfigError) -> [Text] {
    let isOn = try root.bool(switchKey, true)
    if root.has(listKey) { return try root.strings(listKey) }
    guard process.app == app else { return isOn ? [HomeserverConfig.mainInstanceName] : [] }
    guard !isOn else {
      throw root.fail(switchKey, "expected \(switchKey): false for all processes when \(app) runs")
    }
    return [process.instanceName]
  }

  private static func isChosen(
    _ root: SettingsSection, _ process: Process, switchKey: Text, app: Text, workerKey: Text,
    warnings: inout [Text]
  ) throws(ConfigError) -> Bool {
    let onMain = try root.bool(switchKey)
    if onMain != nil { warnings.append("\(switchKey): an old setting of Synapse, use \(workerKey) instead") }
    if process.app == app && onMain != false {
      throw root.fail(
        switchKey, "expected \(switchKey): false, or better \(workerKey) with a generic worker, when \(app) runs")
    }
    let old = onMain.map { process.name == nil ? $0 : process.app == app && !$0 }
    let new = try root.string(workerKey).map { $0 == process.instanceName }
    if let old, let new, old != new {
      throw root.fail(workerKey, "contradicts \(switchKey), expected only one of the two")
    }
    return new ?? old ?? (process.name == nil)
  }
}

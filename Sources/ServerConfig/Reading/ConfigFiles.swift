import ByteText
import FoundationEssentials
import Glibc
import YAML

/// The finding, reading and merging of configuration files as Synapse's `--config-path` does it.
public enum ConfigFiles {
  /// Lists the files that a list of paths stands for.
  ///
  /// A file stands for itself; a folder stands for its `*.yaml` files, sorted by name, without those of subfolders.
  ///
  /// - Parameters:
  ///   - paths: values of `--config-path` in the order of the command line.
  ///   - warnings: receives a line for everything in a folder that is passed over.
  public static func find(_ paths: [Text], warnings: inout [Text]) throws(ConfigError) -> [Text] {
    var files: [Text] = []
    for path in paths {
      guard isFolder(path) else {
        files.append(path)
        continue
      }
      let names: [Text]
      do {
        names = try FileManager.default.contentsOfDirectory(atPath: path.string).map { Text($0) }.sorted()
      } catch {
        throw ConfigError("", "cannot list the configuration folder \(path): \(FileFailure.reason(of: error))")
      }
      for name in names {
        let entry = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
        if isFolder(entry) {
          warnings.append("\(entry): a folder inside a configuration folder is not read")
        } else if !name.hasSuffix(".yaml") {
          warnings.append("\(entry): only files ending in .yaml are read from a configuration folder")
        } else {
          files.append(entry)
        }
      }
    }
    return files
  }

  /// Reads files and merges their top-level keys: a later file replaces an earlier one's value whole.
  static func merge(_ documents: [(file: Text, text: [UInt8])], warnings: inout [Text]) throws(ConfigError)
    -> YAMLMapping
  {
    var merged = YAMLMapping()
    for document in documents {
      let root: YAMLNode
      do {
        root = try YAMLDocument.parse(document.text, file: document.file)
      } catch {
        throw ConfigError(error)
      }
      guard let mapping = root.mapping else {
        warnings.append("\(document.file): found \(root.summary), expected keys and values; the file is ignored")
        continue
      }
      for (key, value) in mapping { merged.set(key, value) }
    }
    return merged
  }

  /// Opens the merged top level of files for tools that need a few settings.
  static func section(paths: [Text]) throws(ConfigError) -> SettingsSection {
    var warnings: [Text] = []
    var documents: [(file: Text, text: [UInt8])] = []
    for file in try find(paths, warnings: &warnings) { documents.append((file, try FileText.read(file, key: ""))) }
    return SettingsSection(path: "", mapping: try merge(documents, warnings: &warnings), mark: nil)
  }

  private static func isFolder(_ path: Text) -> Bool {
    var isDirectory = false
    return FileManager.default.fileExists(atPath: path.string, isDirectory: &isDirectory) && isDirectory
  }
}

/// Reading and writing of whole files, with errors fit for a configuration message.
enum FileText {
  static func read(_ path: Text, key: Text, at mark: YAMLMark? = nil) throws(ConfigError) -> [UInt8] {
    guard let stream = fopen(path.string, "rb" as String) else {
      throw ConfigError(key, at: mark, "cannot read the file \(path): \(systemReason())")
    }
    defer { fclose(stream) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = fread(&chunk, 1, chunk.count, stream)
      content += chunk.prefix(count)
      if count == 0 { break }
    }
    // Opening a folder succeeds, reading it does not.
    guard ferror(stream) == 0 else {
      throw ConfigError(key, at: mark, "cannot read the file \(path): \(systemReason())")
    }
    return content
  }

  /// Creates or replaces a file; `mode` are its permissions when it is created.
  static func write(_ text: Text, to path: Text, mode: Int = 0o644) throws(ConfigError) {
    let attributes: [FileAttributeKey: Any] = [.posixPermissions: mode]
    guard FileManager.default.createFile(atPath: path.string, contents: Data(text.utf8), attributes: attributes) else {
      throw ConfigError("", "cannot write the file \(path)")
    }
  }

  /// Explains the last failure of a system call.
  private static func systemReason() -> Text { Text(cString: strerror(errno)) }
}

import Glibc

/// The prompt for a secret on the terminal, which does not show what is typed.
public enum HiddenInput {
  /// Prints a prompt on the error output and reads a line with the terminal's echo switched off.
  ///
  /// - Returns: the line without its end; nil at the end of input.
  public static func read(_ prompt: String) -> String? {
    var original = termios()
    let isTerminal = tcgetattr(STDIN_FILENO, &original) == 0
    if isTerminal {
      var silent = original
      silent.c_lflag &= ~tcflag_t(ECHO)
      tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
    }
    // The prompt comes after the echo is off: even an immediate answer must not be shown.
    StandardError.write(prompt)
    defer {
      if isTerminal {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &original)
        StandardError.write("\n")
      }
    }
    return readLine()
  }
}

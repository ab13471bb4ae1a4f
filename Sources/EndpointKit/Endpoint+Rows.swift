import ByteText

// A family's `endpoints` is a table of these rows, each pointing to the method that answers:
//
//     .put("setTyping", .client("rooms/{roomID}/typing/{userID}", .sinceV1), as: User.self, on: .writer(of: .typing), to: setTyping),

extension Endpoint {
  /// A handler of requests of one kind of caller.
  public typealias CallHandler<C: Caller> = @Sendable (_ caller: C, _ request: Request) async throws -> Response
  /// A ``Deferral`` for one kind of caller.
  public typealias CallDeferral<C: Caller> =
    @Sendable (_ caller: C, _ request: Request, _ response: DeferredResponse) async throws -> Void

  /// Declares a `GET` operation.
  ///
  /// - Parameters:
  ///   - name: the specification's `operationId`; unique among the endpoints of a process.
  ///   - paths: where it answers.
  ///   - caller: who may call.
  ///   - place: which process of a cluster answers.
  ///   - balance: what a reverse proxy should keep on one process.
  ///   - limited: whether the specification marks it as rate limited.
  ///   - execution: where and for how long the handler runs.
  ///   - allowsLockedUsers: whether a locked account may call it.
  ///   - handler: answers.
  public static func get<C: Caller>(
    _ name: Text, _ paths: EndpointPaths, as caller: C.Type, on place: Place = .any,
    balance: Balance = .none, limited: Bool = false, execution: Execution = .usual, allowsLockedUsers: Bool = false,
    to handler: @escaping CallHandler<C>
  ) -> Endpoint {
    Endpoint(
      name: name, method: .get, paths: paths.patterns, access: C.access, place: place, balance: balance,
      isRateLimited: limited, body: .usual, execution: execution, allowsLockedUsers: allowsLockedUsers, shortcut: nil,
      work: .handler { try await handler(try C($0), $0) })
  }

  /// Declares a long poll: an operation without a deadline, given up when the client hangs up.
  ///
  /// - Parameters:
  ///   - name: the specification's `operationId`; unique among the endpoints of a process.
  ///   - method: `GET`, or `POST` for a poll whose wishes are in its body.
  ///   - paths: where it answers.
  ///   - caller: who may call.
  ///   - place: which process of a cluster answers.
  ///   - balance: what a reverse proxy should keep on one process.
  ///   - body: how the request's body is read.
  ///   - shortcut: answers requests that ask for next to nothing.
  ///   - deferral: begins to answer.
  public static func poll<C: Caller>(
    _ name: Text, by method: HTTPMethod = .get, _ paths: EndpointPaths, as caller: C.Type, on place: Place = .any,
    balance: Balance = .none, body: BodyPolicy = .usual, shortcut: Shortcut? = nil,
    to deferral: @escaping CallDeferral<C>
  ) -> Endpoint {
    Endpoint(
      name: name, method: method, paths: paths.patterns, access: C.access, place: place, balance: balance,
      isRateLimited: false, body: body, execution: .usual, allowsLockedUsers: false, shortcut: shortcut,
      work: .deferral { try await deferral(try C($0), $0, $1) })
  }

  /// Declares a `POST` operation; parameters as for ``get(_:_:as:on:balance:limited:execution:allowsLockedUsers:to:)``.
  ///
  /// - Parameter body: how the request's body is read.
  public static func post<C: Caller>(
    _ name: Text, _ paths: EndpointPaths, as caller: C.Type, on place: Place = .any,
    balance: Balance = .none, limited: Bool = false, body: BodyPolicy = .usual, execution: Execution = .usual,
    allowsLockedUsers: Bool = false, to handler: @escaping CallHandler<C>
  ) -> Endpoint {
    Endpoint(
      name: name, method: .post, paths: paths.patterns, access: C.access, place: place, balance: balance,
      isRateLimited: limited, body: body, execution: execution, allowsLockedUsers: allowsLockedUsers, shortcut: nil,
      work: .handler { try await handler(try C($0), $0) })
  }

  /// Declares a `PUT` operation; parameters as for ``get(_:_:as:on:balance:limited:execution:allowsLockedUsers:to:)``.
  ///
  /// - Parameter body: how the request's body is read.
  public static func put<C: Caller>(
    _ name: Text, _ paths: EndpointPaths, as caller: C.Type, on place: Place = .any,
    balance: Balance = .none, limited: Bool = false, body: BodyPolicy = .usual, execution: Execution = .usual,
    to handler: @escaping CallHandler<C>
  ) -> Endpoint {
    Endpoint(
      name: name, method: .put, paths: paths.patterns, access: C.access, place: place, balance: balance,
      isRateLimited: limited, body: body, execution: execution, allowsLockedUsers: false, shortcut: nil,
      work: .handler { try await handler(try C($0), $0) })
  }

  /// Declares a `DELETE` operation; parameters as for ``get(_:_:as:on:balance:limited:execution:allowsLockedUsers:to:)``.
  ///
  /// - Parameter body: how the request's body is read.
  public static func delete<C: Caller>(
    _ name: Text, _ paths: EndpointPaths, as caller: C.Type, on place: Place = .any,
    balance: Balance = .none, limited: Bool = false, body: BodyPolicy = .usual, execution: Execution = .usual,
    to handler: @escaping CallHandler<C>
  ) -> Endpoint {
    Endpoint(
      name: name, method: .delete, paths: paths.patterns, access: C.access, place: place, balance: balance,
      isRateLimited: limited, body: body, execution: execution, allowsLockedUsers: false, shortcut: nil,
      work: .handler { try await handler(try C($0), $0) })
  }
}

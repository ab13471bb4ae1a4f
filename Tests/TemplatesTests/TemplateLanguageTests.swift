import MatrixPrimitives
import Testing

@testable import Templates

/// The language of templates: what each construct renders.
@Suite struct TemplateLanguageTests {
  private static func render(
    _ source: Text, _ values: [Text: TemplateValue] = [:], _ others: [Text: Text] = [:], name: Text = "t.html"
  ) throws -> Text {
    let library = TemplateLibrary(
      folders: [], serverName: "server", publicBaseURL: "https://x/",
      sources: others.merging([name: source]) { $1 })
    return try library.render(name, values)
  }

  /// Sources and what they render, with `a` = 7, `s` = `<b>`, `l` = [1, 2, 3], `m` = {x: {y: "z"}}.
  private static let table: [(Text, Text)] = [
    ("plain", "plain"), ("line\n", "line"), ("two\n\n", "two\n"), ("{{ a }}", "7"), ("{{ s }}", "&lt;b&gt;"),
    ("{{ s|safe }}", "<b>"), ("{{ s|e }}", "&lt;b&gt;"), ("{{ s | e | e }}", "&lt;b&gt;"), ("{{ missing }}", ""),
    ("{{ missing|default('d') }}", "d"), ("{{ ''|default('d', true) }}", "d"), ("{{ m.x.y }}{{ m['x']['y'] }}", "zz"),
    ("{{ l[0] }}{{ l[-1] }}{{ l|length }}", "133"), ("{{ l[1:] }}", "[2, 3]"), ("{{ l|join('-') }}", "1-2-3"),
    ("{{ '@u:x'.split(':')[0][1:] }}", "u"), ("{{ 1 + 2 * 3 }}", "7"),
    ("{{ 7 / 2 }} {{ 7 // 2 }} {{ -7 % 3 }}", "3.5 3 2"),
    ("{{ 'a' ~ 1 ~ s }}", "a1&lt;b&gt;"), ("{{ '%.1f'|format(2.25) }} {{ '%05d' % 42 }}", "2.2 00042"),
    ("{% if a == 7 %}y{% else %}n{% endif %}", "y"), ("{% if not a %}y{% elif a > 6 %}e{% endif %}", "e"),
    ("{% if missing is defined %}y{% endif %}{% if a is not none %}n{% endif %}", "n"),
    ("{% if 2 in l and 9 not in l %}y{% endif %}", "y"), ("{{ 'y' if a else 'n' }}{{ 'q' if not a }}", "y"),
    ("{% for i in l %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}", "1,2,3"),
    ("{% for i in [] %}x{% else %}none{% endfor %}", "none"),
    ("{% for i in l if i != 2 %}{{ loop.index }}:{{ i }} {% endfor %}", "1:1 2:3 "),
    ("{% for k, v in m.items() %}{{ k }}={{ v.y }}{% endfor %}", "x=z"), ("{% set b = a + 1 %}{{ b }}", "8"),
    ("{% set b %}<{{ a }}>{% endset %}{{ b }}", "<7>"), ("a {%- if a -%} b {%- endif -%} c", "abc"),
    ("a{# {{ no }} #}b", "ab"), ("{% raw %}{{ no }}{% endraw %}", "{{ no }}"), ("{{ l|tojson }}", "[1,2,3]"),
    ("{{ 'a b/c'|urlencode }}", "a%20b/c"), ("{{ 'abc'|upper }}{{ 'aBC'|capitalize }}", "ABCAbc"),
    ("{% macro f(x, y='d') %}<{{ x }}{{ y }}>{% endmacro %}{{ f(s) }}{{ f(1, y=2) }}", "<&lt;b&gt;d><12>"),
    ("{% filter upper %}a{{ s }}{% endfilter %}", "A&LT;B&GT;"), ("{% with q = 1 %}{{ q }}{% endwith %}{{ q }}", "1"),
    ("{% autoescape false %}{{ s }}{% endautoescape %}", "<b>"), ("{{ server_name }}", "server"),
    (
      "{{ 'mxc://h/m'|mxc_to_http(3, 4) }}",
      "https://x/_matrix/media/v1/thumbnail/h/m?width=3&amp;height=4&amp;method=crop"
    ),
    ("{{ 'u@v@w'|localpart_from_email }}", "u@v"), ("{{ true }}{{ none }}", "TrueNone"),
    ("{{ a is divisibleby 7 }}", "True"),
    ("{{ {'k': 1}.k }}{{ (1, 2)[1] }}", "12"), ("{{ 1 < 2 < 3 }}", "True"), ("{{ range(3)|list }}", "[0, 1, 2]"),
  ]

  @Test(arguments: 0..<table.count)
  func eachConstructRendersAsInJinja(_ index: Int) throws {
    let (source, wanted) = Self.table[index]
    let values: [Text: TemplateValue] = [
      "a": 7, "s": "<b>", "l": .list([1, 2, 3]), "m": TemplateValue(JSON.object(["x": ["y": "z"]])),
    ]
    #expect(try Self.render(source, values) == wanted, "\(source)")
  }

  @Test func templatesExtendIncludeAndImport() throws {
    let others: [Text: Text] = [
      "base.html": "<{% block a %}base{% endblock %}|{% block b %}B{% endblock %}>", "part.txt": "{{ v }}&{{ w }}",
      "lib.html": "{% macro g(x) %}[{{ h(x) }}]{% endmacro %}{% macro h(x) %}{{ x }}{% endmacro %}",
    ]
    let child: Text = "{% extends 'base.html' %}ignored{% set w = 2 %}{% block a %}{{ super() }}+{{ v }}{% endblock %}"
    #expect(try Self.render(child, ["v": "<"], others) == "<base+&lt;|B>")
    #expect(try Self.render("{% include 'part.txt' %}", ["v": "<"], others) == "<&")
    #expect(try Self.render("{% include 'part.txt' without context %}", ["v": "<"], others) == "&")
    #expect(try Self.render("{% include 'none' ignore missing %}x", [:], others) == "x")
    #expect(try Self.render("{% import 'lib.html' as lib %}{{ lib.g('<') }}", [:], others) == "[&lt;]")
    #expect(try Self.render("{% from 'lib.html' import g as k %}{{ k(1) }}", [:], others) == "[1]")
  }

  @Test func textFilesAreNotEscaped() throws {
    #expect(try Self.render("{{ s }}", ["s": "<b>"], name: "t.txt") == "<b>")
    #expect(try Self.render("{{ 0|format_ts('%Y') }}", name: "t.txt") == "1970")
  }

  @Test(
    arguments: [
      "{{ a", "{% if a %}", "{% endif %}", "{% nothing %}", "{{ a | nothing }}", "{{ a is nothing }}", "{{ 'a }}",
      "{{ missing.member }}", "{{ 1 / 0 }}", "{{ 1 // 0 }}", "{% include 'none' %}", "{{ a b }}", "{# no end",
      "{{ 9223372036854775807 + 1 }}", "{% for i in 7 %}{% endfor %}", "{{ a() }}", "{% raw %}",
    ] as [Text])
  func whatIsWrongFails(_ source: Text) {
    #expect(throws: TemplateError.self) { try Self.render(source, ["a": 7]) }
  }

  @Test func boundsHold() {
    let deep = Text(repeating: "(", count: 5000) + "1" + Text(repeating: ")", count: 5000)
    let nested = Text(repeating: "{% if 1 %}", count: 5000) + Text(repeating: "{% endif %}", count: 5000)
    let endless: [Text] = [
      "{{ \(deep) }}", nested, "{% include 't.html' %}", "{% extends 't.html' %}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ " + Text(repeating: "-", count: 5000) + "1 }}",
      "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
    ]
    for source in endless { #expect(throws: TemplateError.self) { try Self.render(source) } }
  }

  @Test func foldersComeFirstAndNamesStayWithinThem() throws {
    let library = TemplateLibrary(folders: ["/etc"], serverName: "x", publicBaseURL: "https://x/", sources: ["a": "A"])
    #expect(try library.render("a") == "A")
    #expect(library.has("hostname") && !library.has("../etc/hostname") && !library.has("/etc/hostname"))
  }
}

import MatrixPrimitives

/// Telephone numbers in international form.
///
/// The country's calling code comes in front, the digit for calls within the country goes. Whether the number exists is left to the server
/// that calls it; there are no lists of number plans here.
enum PhoneNumber {
  /// Brings a number as people write it into the form in which it is stored, digits alone.
  ///
  /// - Parameter country: two letters of ISO 3166-1.
  /// - Throws: `MatrixError` 400 for a country or a number that cannot be.
  static func international(_ number: Text, country: Text) throws(MatrixError) -> Text {
    guard let code = callingCodes[country.asciiUppercased] else {
      throw .invalidParam("Not a valid ISO 3166-1 alpha-2 country code")
    }
    let isInternational = number.trimmed.hasPrefix("+") || number.trimmed.hasPrefix("00")
    guard number.utf8.count <= 64, number.utf8.allSatisfy({ isDigit($0) || " -()./+".utf8.contains($0) }) else {
      throw .invalidParam("Unable to parse phone number")
    }
    var digits = Text(decoding: number.utf8.filter(isDigit), as: UTF8.self)
    if isInternational {
      digits = digits.dropping(prefix: "00") ?? digits
    } else {
      // Where the digit belongs to the number, or calls within the country begin with another.
      let trunk: Text? = keepsZero.contains(country.asciiUppercased) ? nil : code == "1" ? "1" : code == "7" ? "8" : "0"
      if let trunk, let rest = digits.dropping(prefix: trunk) { digits = rest }
      digits = code + digits
    }
    guard (7...15).contains(digits.utf8.count) else { throw .invalidParam("Unable to parse phone number") }
    return digits
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  private static let keepsZero: Set<Text> = [
    "IT", "SM", "VA", "ES", "PT", "DK", "NO", "PL", "CZ", "GR", "LU", "EE", "LV", "SG", "HK", "CI",
  ]

  /// The calling codes of countries (ITU-T E.164).
  static let callingCodes: [Text: Text] = {
    var codes: [Text: Text] = [:]
    for entry in table.words {
      guard let (code, countries) = entry.cut(at: ":") else { continue }
      for country in countries.split(separator: UInt8(ascii: ",")) { codes[country] = code }
    }
    return codes
  }()

  private static let table = """
    1:US,CA,AG,AI,AS,BB,BM,BS,DM,DO,GD,GU,JM,KN,KY,LC,MP,MS,PR,SX,TC,TT,VC,VG,VI 7:RU,KZ 20:EG 211:SS 212:MA,EH 213:DZ 216:TN
    218:LY 220:GM 221:SN 222:MR 223:ML 224:GN 225:CI 226:BF 227:NE 228:TG 229:BJ 230:MU 231:LR 232:SL 233:GH 234:NG 235:TD
    236:CF 237:CM 238:CV 239:ST 240:GQ 241:GA 242:CG 243:CD 244:AO 245:GW 246:IO 247:AC 248:SC 249:SD 250:RW 251:ET 252:SO
    253:DJ 254:KE 255:TZ 256:UG 257:BI 258:MZ 260:ZM 261:MG 262:RE,YT 263:ZW 264:NA 265:MW 266:LS 267:BW 268:SZ 269:KM 27:ZA
    290:SH,TA 291:ER 297:AW 298:FO 299:GL 30:GR 31:NL 32:BE 33:FR 34:ES 350:GI 351:PT 352:LU 353:IE 354:IS 355:AL 356:MT
    357:CY 358:FI,AX 359:BG 36:HU 370:LT 371:LV 372:EE 373:MD 374:AM 375:BY 376:AD 377:MC 378:SM 380:UA 381:RS 382:ME 383:XK
    385:HR 386:SI 387:BA 389:MK 39:IT,VA 40:RO 41:CH 420:CZ 421:SK 423:LI 43:AT 44:GB,GG,IM,JE 45:DK 46:SE 47:NO,SJ 48:PL
    49:DE 500:FK 501:BZ 502:GT 503:SV 504:HN 505:NI 506:CR 507:PA 508:PM 509:HT 51:PE 52:MX 53:CU 54:AR 55:BR 56:CL 57:CO
    58:VE 590:GP,BL,MF 591:BO 592:GY 593:EC 594:GF 595:PY 596:MQ 597:SR 598:UY 599:CW,BQ 60:MY 61:AU,CC,CX 62:ID 63:PH 64:NZ
    65:SG 66:TH 670:TL 672:NF 673:BN 674:NR 675:PG 676:TO 677:SB 678:VU 679:FJ 680:PW 681:WF 682:CK 683:NU 685:WS 686:KI
    687:NC 688:TV 689:PF 690:TK 691:FM 692:MH 81:JP 82:KR 84:VN 850:KP 852:HK 853:MO 855:KH 856:LA 86:CN 880:BD 886:TW 90:TR
    91:IN 92:PK 93:AF 94:LK 95:MM 960:MV 961:LB 962:JO 963:SY 964:IQ 965:KW 966:SA 967:YE 968:OM 970:PS 971:AE 972:IL 973:BH
    974:QA 975:BT 976:MN 977:NP 98:IR 992:TJ 993:TM 994:AZ 995:GE 996:KG 998:UZ
    """
}

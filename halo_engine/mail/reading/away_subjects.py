"""Subjects of answering machines, some of which write no header that says so (contract §2).

A person's answer begins with ``Re:`` or the like, so these count at the beginning alone, and only
where nothing but an end, a colon or a bracket follows.
"""

import re
from typing import Final

#: Until when somebody is away.
_UNTIL: Final = r"( (until|till|from|bis|vom|von|jusqu|hasta|até|fino|tot)\b.{0,60})?"
#: Phrases, by language.
_PHRASES: Final = (
    r"auto(?=\s*[:\uff1a])|auto(matic|mated)?[ _-]?(reply|response|answer)|autorespon(s|der)|ooo",
    rf"([^:]{{1,60}} is |i.?m |i am |currently )?(out[ _-]of|not in)[ _-](the[ _-])?office{_UNTIL}",
    r"out[ _-]of[ _-](the[ _-])?office (reply|autoreply|auto-reply|notification)",
    r"[^:]{1,60} is out of (the )?office \(returning.{0,60}\)",
    rf"(i.?m |i am |currently )?(away( from my desk)?|on (annual leave|leave|holidays?)){_UNTIL}",
    r"(i.?m |i am |currently )?(on )?vacation( (reply|notice|message|response))?",
    r"autom(atische|\.) (r[üu]ck)?antwort|urlaubs(meldung|notiz|benachrichtigung)|außer haus",
    rf"abwesen(d|heit)(s(notiz|benachrichtigung|meldung|agent|info\w*))?{_UNTIL}",
    rf"(bin )?(nicht im b[üu]ro|im urlaub){_UNTIL}",
    r"r[ée]ponse automatique|absence du bureau|(message|notification|avis) d.absence",
    rf"absent(e|\(e\))?( du bureau)?{_UNTIL}|en cong[ée]s?|message automatique( d.absence)?",
    r"respuesta autom[áa]tica|(ausente|fuera) de (la )?oficina|aviso de ausencia|de vacaciones",
    r"resposta autom[áaà]tica|fora do escrit[óo]rio|aus[êe]ncia tempor[áa]ria|(de|em) f[ée]rias",
    r"risposta (automatica|non al computer)|fuori (sede|ufficio)|assenza dall.ufficio|in ferie",
    r"automatisch(e reactie| antwoord)|(ik ben )?afwezig(heids(bericht|assistent))?",
    r"niet op kantoor",
    r"autosvar|automatiskt? svar|fr[åa]nvaro|frav[æa]r(sbe(sked|skjed))?|ute av kontoret",
    r"ikke p[åa] kontor(et)?|p[åa] (semester|ferie)",
    r"automaattinen vastaus|automaattivastaus|poissaolo(ilmoitus)?",
    r"automaatvastus|kontorist väljas",
    r"odpowied[źz] automatyczna|auto(matyczna )?odpowied[źz]|poza biurem|nieobecno[śs][ćc]",
    r"automatick[áa] odpov[ěe][ďd]|automatick[áa] odpove[ďd]|mimo kancel[áa][řr](ie)?",
    r"nep[řr][íi]tomnost|automatikus v[áa]lasz|h[áa]zon k[íi]v[üu]l|r[ăa]spuns automat",
    r"automatski odgovor|izvan ureda|samodejni odgovor",
    r"automatinis atsakymas|autom[āa]tisk[āa] atbilde",
    r"otomatik (yan\u0131t|cevap)|ofis d\u0131\u015f\u0131nda",
    r"αυτόματη απάντηση|εκτός γραφείου",
    r"авто(матический )?ответ|вне офиса|автоматична відповідь|автовідповідь|автоматичен отговор",
    r"自动(答复|回复)|自動(応答|返信|回覆|回應)(メール)?|不在(通知|のお知らせ)",
    r"자동 ?(회신|응답)|부재중",
    r"תשובה אוטומטית|מחוץ למשרד|رد تلقائي|خارج المكتب",
    r"trả lời tự động|ตอบกลับอัตโนมัติ|balasan otomatis",
)
SUBJECTS: Final = re.compile(
    rf"\s*[\[(]?({'|'.join(_PHRASES)})( (re|aw))?\s*([:\uff1a\])]|[.!]?$)", re.IGNORECASE
)

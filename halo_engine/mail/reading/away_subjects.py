"""Subjects of answering machines, some of which write no header that says so (contract §2).

A person's answer begins with ``Re:`` or the like, so these count at the beginning alone, and only
where nothing but an end, a colon or a bracket follows.
"""

import re
from typing import Final

#: Until when somebody is away.
_UNTIL: Final = r"( (until|till|from|bis|vom|von|jusqu|hasta|até|fino|tot|до)\b.{0,60})?"
#: Phrases, by language.
_PHRASES: Final = (
    r"auto(?=\s*[:\uff1a])|auto(matic|mated)?[ _-]?(reply|response|answer)|autorespon(s|der)",
    rf"([^:]{{1,60}} is |i.?m |i am )?(currently )?not in (the )?office{_UNTIL}|ooo{_UNTIL}",
    rf"([^:]{{1,60}} is |i.?m |i am )?(currently )?out[ _-]of[ _-](the[ _-])?office{_UNTIL}",
    r"i will be out of the office starting .{1,60} and will not return until.{1,60}",  # Notes
    r"out[ _-]of[ _-](the[ _-])?office (reply|autoreply|auto-reply|notification)",
    r"[^:]{1,60} is out of (the )?office \(returning.{0,60}\)",
    rf"(i.?m |i am |currently )?(away( from (my desk|(the )?office))?|on holidays?){_UNTIL}",
    rf"(i.?m |i am |currently )?(on )?(annual|maternity|paternity|parental|sick) leave{_UNTIL}",
    rf"(i.?m |i am |currently )?on leave{_UNTIL}",
    rf"(i.?m |i am |currently )?(on )?vacation( (reply|notice|message|response))?{_UNTIL}",
    r"autom(atische|\.) (r[üu]ck)?antwort|urlaubs(meldung|notiz|benachrichtigung)",
    rf"abwesen(d|heit)(s(notiz|benachrichtigung|meldung|agent|assistent|info\w*))?{_UNTIL}",
    rf"([^:]{{1,60}} ist |(ich )?bin )?(nicht im b[üu]ro|im urlaub|au(ß|ss)er haus){_UNTIL}",
    r"r[ée]ponse automatique( d.absence)?|(message|notification|avis) d.absence",
    r"absence( du bureau)?",
    rf"([^:]{{1,60}} est |je suis )?absent(e|\(e\))?( du bureau)?{_UNTIL}",
    rf"(je suis )?en (cong[ée]s?|vacances){_UNTIL}|message automatique( d.absence)?",
    r"respuesta autom[áa]tica|aviso de ausencia|(estoy )?de vacaciones",
    rf"(estoy )?(ausente( de (la )?oficina)?|fuera de (la )?oficina){_UNTIL}",
    r"resposta autom[áaà]tica|fora do escrit[óo]rio|((estou )?(de|em) )?f[ée]rias",
    r"aus[êe]ncia( tempor[áa]ria| do escrit[óo]rio)?",
    r"risposta (automatica|non al computer)|fuori (sede|ufficio)|(in )?ferie",
    r"assen(te|za)( dall.ufficio)?",
    r"automatisch(e reactie| antwoord)|(ik ben )?afwezig(heid(s(bericht|assistent))?)?",
    rf"niet (op kantoor|aanwezig)|(ik ben )?op vakantie{_UNTIL}",
    r"autosvar|automatiskt? svar|fr[åa]nvar(o|ande)|frav[æa]r(ende|sbe(sked|skjed))?",
    r"ikke (p[åa] kontor(et)?|til stede)|ute av kontoret|p[åa] (semester|ferie)|sj[áa]lfvirkt svar",
    r"automaattinen vastaus|automaattivastaus|poissa(olo(ilmoitus)?| toimistolta)?|lomalla",
    r"automaatvastus|kontorist väljas",
    r"odpowied[źz] automatyczna|auto(matyczna )?odpowied[źz]|poza biurem|na urlopie",
    r"nieobecn(o[śs][ćc]|y|a)",
    r"automatick[áa] odpov[ěe][ďd]|automatick[áa] odpove[ďd]|(jsem )?mimo kancel[áa][řr](ie)?",
    r"nep[řr][íi]tomnost|(na )?dovolen[áeé](j)?|automatikus v[áa]lasz|h[áa]zon k[íi]v[üu]l",
    r"szabads[áa]gon|r[ăa]spuns automat|([îi]n )?concediu",
    r"automatski odgovor|izvan ureda|samodejni odgovor|odsot(en|na)",
    r"na godi[šs]njem odmoru|автоматски одговор|аутоматски одговор",
    r"automatinis atsakymas|([āa]rpus biroja atra[šs]an[āa]s )?autom[āa]tisk[āa] atbilde",
    r"otomatik (yan\u0131t|cevap)|ofis d\u0131\u015f\u0131nda|izindeyim|p[ëe]rgjigje automatike",
    r"αυτόματη απάντηση|εκτός γραφείου",
    rf"(я )?в отпуске{_UNTIL}|(я )?\u0443 відпустці|нет на месте",
    r"авто(матический )?ответ|вне офиса|автоматична відповідь|автовідповідь|автоматичен отговор",
    r"自动(答复|回复)|自動(応答|返信|回覆|回應)(メール)?|不在(通知|のお知らせ|です)",
    r"休暇(中|のお知らせ)|休假(中|通知)?|不在办公室",
    r"(부재 ?중 )?자동 ?(회신|응답)|부재 ?중",
    r"תשובה אוטומטית|מחוץ למשרד|رد تلقائي|خارج المكتب",
    r"پاسخ خودکار|स्वचालित उत्तर",
    r"trả lời tự động|(การ)?ตอบกลับอัตโนมัติ|balasan (otomatis|automatik)",
)
#: What our own gateway may put before a subject: ``[EXTERNAL]``, ``*EXT*``.
_TAG: Final = r"([\[(*]{1,2}ext(ern\w*)?( e?mail| sender)?[\])*]{1,2}:?\s*)?"
SUBJECTS: Final = re.compile(
    rf"\s*{_TAG}[\[(]?({'|'.join(_PHRASES)})( (re|aw))?\s*([:\uff1a\])]|[.!]?$)", re.IGNORECASE
)

"""Speech: values in words and back, sentences that read well, and what grates in one."""

import re
import tomllib
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from awm_gym.gates.tracing import Sources
from awm_gym.scenario import WEEKDAYS
from awm_gym.speech import HOWS, clause, problems, say, sentence, tidy

NOW = datetime(2025, 3, 10, 9, 30)  # a Monday


@pytest.mark.parametrize(
    ("value", "how", "words"),
    [
        ("Court One", "", "Court One"),
        ("", "", ""),
        (1250, "", "1250"),
        (3.0, "", "3"),
        (-0.0, "", "0"),
        (2.5, "", "2.5"),
        (1e-7, "", "0.0000001"),
        (1e22, "", "1" + "0" * 22),
        ("2025-03-10", "day", "today"),
        ("2025-03-10T23:59:00", "day", "today"),
        ("2025-03-11", "day", "tomorrow"),
        ("2025-03-09", "day", "yesterday"),
        ("2025-03-12", "day", "this Wednesday"),
        ("2025-03-16", "day", "this Sunday"),
        ("2025-03-17", "day", "Monday 17 March"),
        ("2025-03-08", "day", "Saturday 8 March"),
        ("2026-03-14", "day", "Saturday 14 March 2026"),
        ("2024-12-31", "day", "Tuesday 31 December 2024"),
        ("2025-03-14", "date", "14 March"),
        ("2025-03-10", "date", "10 March"),
        ("2026-01-01T08:00:00", "date", "1 January 2026"),
        ("2025-03-14", "weekday", "Friday"),
        ("2025-03-14T19:30:00", "time", "7:30 pm"),
        ("2025-03-14T19:00:00", "time", "7 pm"),
        ("2025-03-14T09:05:00", "time", "9:05 am"),
        ("12:00", "time", "noon"),
        ("12:15", "time", "12:15 pm"),
        ("00:00", "time", "midnight"),
        ("00:05", "time", "12:05 am"),
        ("07:00:00", "time", "7 am"),
        ("2025-03-14T19:00:00", "when", "this Friday at 7 pm"),
        ("2025-03-11T12:00:00", "when", "tomorrow at noon"),
        ("2025-04-25T10:15:00", "when", "Friday 25 April at 10:15 am"),
        ("2025-03-14", "month", "March 2025"),
        ("2024-02", "month", "February 2024"),
        (4850, "money", "£48.50"),
        (4800, "money", "£48"),
        (5, "money", "£0.05"),
        (0, "money", "£0"),
        (125000, "money", "£1,250"),
        (123456789, "money", "£1,234,567.89"),
        (4800.0, "money", "£48"),
        (0, "count", "zero"),
        (3, "count", "three"),
        (12, "count", "twelve"),
        (13, "count", "13"),
        (1250, "count", "1,250"),
        (1, "ordinal", "first"),
        (12, "ordinal", "twelfth"),
        (13, "ordinal", "13th"),
        (21, "ordinal", "21st"),
        (42, "ordinal", "42nd"),
        (93, "ordinal", "93rd"),
        (111, "ordinal", "111th"),
        (113, "ordinal", "113th"),
        ("Ana Silva", "first", "Ana"),
        ("Deep Tissue", "lower", "deep tissue"),
        ("deep tissue massage", "title", "Deep Tissue Massage"),
        ("head of the house", "title", "Head of the House"),
        ("o'brien's x-ray", "title", "O'brien's X-ray"),
        ("Ana Silva", "'s", "Ana Silva's"),
        ("Greta Hughes", "'s", "Greta Hughes'"),
        ("Bluestone Logistics", "'s", "Bluestone Logistics'"),
        ("Felix", "'s", "Felix's"),
        ("Harrow's", "'s", "Harrow's"),
        ("HMRS", "'s", "HMRS'"),
    ],
)
def test_a_value_is_said_as_people_say_it(value, how, words):
    assert say(value, how, NOW) == words


A = """unit user used uniform unique university union utensil ukulele USB UV UK US U-turn u-bend usual useful
European euro eucalyptus ewe one-way once-over one-off house hotel-room hybrid yard year yellow wheel T-shirt t-shirt
PIN PDF DVD B2 7-seater 1-day £5 €10 $100 100 1,100-page 110 180-day 12:30 1850 Mr Mrs km kg NATO NASA SIM RAM SMART
PhD unilateral unidirectional unisex Unicode unanimous uranium urology utility "useful" (used) ‘unit’ Ukrainian GP CV
helmet heavy heap Honolulu""".split()
AN = """hour hourly honest honour honourable heir heirloom apple easel invoice order umbrella urgent upper ulcer unpaid
uninvited unimportant unidentified unissued unintended uninsured unopened unironed utter urn umpire only onion oncoming
X-ray x-ray MRI HDMI NHS SUV ATM MOT LCD EU F1 M8 A4 L-shaped S-hook N95 e-bike e-mail H2O R2 18 18-month 11 11:30 11th
8 8th 80 800-page £8 £80 $11 €18 11,500 "open" (online) ‘old’ 8.5 éclair Åland O'Brien order's mp3 MSc? ISBN RSVP
""".replace("MSc?", "").split()


@pytest.mark.parametrize(("article", "word"), [*(("a", word) for word in A), *(("an", word) for word in AN)])
def test_an_article_goes_by_the_sound(article, word):
    wrong = "a" if article == "an" else "an"
    assert say(word, "a", NOW) == f"{article} {word}"
    assert problems(f"Take {article} {word} home.") == []
    if word not in ("1850", "ISBN", "Mr", "Mrs", "PhD", "hotel-room", "km", "kg", "mp3") and not re.fullmatch(
        "[B-Z]+[AEIOU][A-Z]*", word
    ):
        assert problems(f"Take {wrong} {word} home.") != []


def test_a_number_takes_an_article_too():
    assert [say(number, "a", NOW) for number in (8, 10, 11, 18.0)] == ["an 8", "a 10", "an 11", "an 18"]


def test_money_is_said_in_the_currency_of_the_place():
    assert [say(125050, "money", NOW, sign) for sign in "£$€"] == ["£1,250.50", "$1,250.50", "€1,250.50"]


@pytest.mark.parametrize(
    ("value", "how", "told"),
    [
        (5, "euros", "'euros'"),
        (5, "DAY", "weekday"),
        (None, "", "None"),
        (True, "", "True"),
        (float("nan"), "", "nan"),
        (["a"], "", r"\['a'\]"),
        ("soon", "day", "YYYY-MM-DD"),
        ("2025-02-30", "day", "2025-02-30"),
        ("20250314", "date", "YYYY-MM-DD"),
        ("12:00", "day", "12:00"),
        (20250314, "weekday", "20250314"),
        ("2025-03-14", "time", "HH:MM"),
        ("2025-03-14", "when", "HH:MM"),
        ("25:00", "time", "25:00"),
        ("2025-03-14T19:00:07", "time", "whole minutes"),
        ("2025-03-14T19:00", "time", "19:00"),
        ("2025-13", "month", "2025-13"),
        ("4850", "money", "4850"),
        (48.5, "money", "cents"),
        (-5, "money", "-5"),
        (True, "money", "True"),
        (float("inf"), "count", "inf"),
        (float("nan"), "count", "nan"),
        (-1, "count", "-1"),
        (0, "ordinal", "from 1 on"),
        (7, "first", "7"),
        (" ", "first", "' '"),
        ("", "a", "''"),
        ("", "'s", "''"),
        (None, "lower", "None"),
        (3, "title", "3"),
    ],
)
def test_what_cannot_be_said_is_an_error_that_names_the_value_and_the_way_out(value, how, told):
    with pytest.raises(ValueError, match=told):
        say(value, how, NOW)


def test_the_error_names_every_way_of_saying():
    with pytest.raises(ValueError, match="quickly") as error:
        say(5, "quickly", NOW)
    assert all(how in str(error.value) for how in HOWS)
    assert HOWS[0] == ""


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("", ""),
        ("  cancel  it ,\n please ", "Cancel it, please."),
        ("is it free ?", "Is it free?"),
        ("cancel it. tell her . do it ! why ? because", "Cancel it. Tell her. Do it! Why? Because."),
        ("£48.50 is owed. £5 is paid", "£48.50 is owed. £5 is paid."),
        ("12 boxes came. 3 are lost", "12 boxes came. 3 are lost."),
        ("book 7:30 pm. Please", "Book 7:30 pm. Please."),
        ("book 7:30 pm. please hurry", "Book 7:30 pm. Please hurry."),
        ("come at 7 p.m. or later", "Come at 7 p.m. or later."),
        ("come at 7 p.m.", "Come at 7 p.m."),
        ("use a tool, e.g. a drill", "Use a tool, e.g. a drill."),
        ("e.g. a drill", "E.g. a drill."),
        ("ask Dr. no-name or Dr. Silva", "Ask Dr. no-name or Dr. Silva."),
        ("take tools, nails etc. with you", "Take tools, nails etc. with you."),
        ("well ... then do it", "Well ... then do it."),
        ("stop.. now", "Stop. Now."),
        ("is it free?. if so, book it.", "Is it free? If so, book it."),
        ("book it today..", "Book it today."),
        ("the reason: 'Rain'", "The reason: 'Rain'."),
        ("the reason: 'Rain.'", "The reason: 'Rain.'"),
        ('she says "No."', 'She says "No."'),
        ('she says "No.".', 'She says "No."'),
        ('"Is it free?" she asks', '"Is it free?" she asks.'),
        ("'rain' is why. “sun” is not. (it rains)", "'rain' is why. “sun” is not. (It rains)."),
        ("put 'called.. no  answer , twice' there", "Put 'called.. no answer , twice' there."),
        ("put '' or 'x' or ‘a. b’ or “a. b?” . then go", "Put '' or 'x' or ‘a. b’ or “a. b?” Then go."),
        ("say 'it's on today. no' twice", "Say 'it's on today. no' twice."),
        ("say 'no. yes.'.", "Say 'no. yes.'"),
        ("it is late (see the note)", "It is late (see the note)."),
        ("it is late. (see the note.)", "It is late. (See the note.)"),
        ("it is ( as you know ) late", "It is (as you know) late."),
        ("that coat is James'", "That coat is James'."),
        ("book it on today at 7 pm", "Book it today at 7 pm."),
        ("book it on this Friday at noon", "Book it this Friday at noon."),
        ("on tomorrow at 7 pm, close it", "Tomorrow at 7 pm, close it."),
        ("book it on Friday 14 March", "Book it on Friday 14 March."),
        ("book it for today", "Book it for today."),
        ("put it on today's list", "Put it on today's list."),
        ("put it on this Friday's list", "Put it on this Friday's list."),
        ("from now on today is a holiday", "From now on today is a holiday."),
        ("what's on tomorrow?", "What's on tomorrow?"),
        ("close the walk-on today", "Close the walk-on today."),
        ("close it,", "Close it."),
        ("iPhone 12 is lost. eBay has it", "iPhone 12 is lost. eBay has it."),
        ("write to her. ana@mail.example is new", "Write to her. ana@mail.example is new."),
        ("https://a.example is down", "https://a.example is down."),
        ("b12 is broken. x_y is not", "b12 is broken. x_y is not."),
        ("e-bikes are out", "E-bikes are out."),
        ("élise came", "Élise came."),
        ("the cable is .5 m long", "The cable is .5 m long."),
        ("a apple", "A apple."),
        ("what a day…", "What a day…"),
    ],
)
def test_a_text_is_tidied_once_and_for_all(text, tidied):
    assert tidy(text) == tidied
    assert tidy(tidied) == tidied


def test_a_sentence_begins_with_a_capital():
    assert sentence("cancel it. please") == "Cancel it. please"
    assert sentence('"rain" is it') == '"rain" is it'
    assert sentence("£5 is owed. please") == "£5 is owed. please"
    assert sentence("iPhone 5 is lost") == "iPhone 5 is lost"
    assert sentence("Ana came") == "Ana came"
    assert sentence("") == ""


def test_a_clause_has_no_full_stop():
    assert clause("Cancel it. ") == "Cancel it"
    assert clause("Is it free?") == "Is it free?"
    assert clause("Well...") == "Well..."
    assert clause("at 7 p.m.") == "at 7 p.m."
    assert clause("it is £48.50") == "it is £48.50"
    assert clause("") == ""


GOOD = """
Please cancel Ana Silva's booking of Court One this Friday at 7 pm.
Could you send a reminder for every overdue invoice?
Greta Hughes' booking has to be moved to tomorrow at noon.
How much does James Adams owe us in total? Answer in pounds.
Hello, my name is Sofia Mensah. I'd like to hold four bookings at a time.
Put the member whose phone number is 0161 384835 on the cheapest plan.
Once that is done, enrol them in the Watercolours workshop, or on its waiting list if it is full.
We must shut Court Two from today: cancel every booking still to come there, then close it.
Send a reminder for every open invoice of £61.50 or more that is overdue.
What do my upcoming bookings come to? Please answer in pounds.
If invoice 2047 is overdue, send a reminder; otherwise extend it by a week.
Somebody closed Mirror Room although nothing is wrong with it. Please put that right.
Take back the thing that has been out on loan the longest.
Elena Bauer here. I've lost track: how many classes am I enrolled in, waiting lists aside?
Owen Okafor speaking. I'd like to pay my unpaid invoice of £48, all of it.
The ceiling of Blue Studio needs repair, so clear its upcoming bookings.
Two things: book the cheapest court free on Thursday 22 May at 7 pm, and tell Yuki Haddad.
Is there still room in the workshop on Saturday 10 January at 6:30 pm? Sign me up if so.
Ngozi Okafor is at the counter and shows pickup code 4417. Hand her parcel out.
What share of the value of all goods that left the depot in September 2025 were e-bike parts? Per cent, please.
Book an X-ray for Biscuit tomorrow at 9:45 am.
Book a check-up and an MRI scan for the patient born on 4 May 1982.
Dr. Raman is ill today; move all of her visits to Dr. Soltau.
Dr Raman is away this Wednesday. Who sees her patients?
An hour before closing, somebody dropped a pallet of 12 boxes in bay 7.
Please order an 8 mm drill bit, an 11 mm one and a 12 mm one.
We need a unit of every part, e.g. a hinge, a screw and so on.
The label reads "Fragile". Change it to "This side up".
The label reads 'Handle with care.' Please print it again.
Cancel the order with the reason 'Biscuit has a cold'.
Cancel it with the reason "Rain".
Cancel it with the reason "Rain."
“Too small” is what he wrote. Send the next size up.
She wrote: ‘Not before noon’. Please note that.
Please refund the £4.50 that Priya paid twice (see invoice 88).
Mark the van as out of service (it failed its MOT).
Give her her deposit back.
The parts that that supplier sent are faulty.
If he had had a voucher, he would have paid less. Give him £5 off.
Each costs £5, so what do six of them come to?
What each holds is shown on the list; choose the one that holds most.
Every member pays £20 a month. Who has not paid in March?
Every class starts at 7 pm this week. Move every one of them by an hour.
Every sports car has to be back by Sunday.
Book each its own pen, as cheap as they come.
Every two weeks the Pilates class needs the large hall. Book it for Friday 28 March.
Each of the invoices has to be paid by 31 March.
Every bus is out. Which one comes back first?
Every address on that street is wrong; correct it for Mr. Hill.
Each business pays a deposit. Which has not?
Every unpaid invoice of Bluestone Logistics' has to be chased.
What is on tomorrow? List the titles.
What's on today at the Mill Lane branch?
From now on tomorrow's class is in Hall B.
The two classes later on today are full.
Put it on today's list.
Put them on this Friday's rota.
None of the rooms is free at 10 am, is it? If one is, book it.
Care note for Muru: 'Tablet hidden in tuna'. None for Nalle.
The contract is null and void, so end it today.
His size is 28" and not 29". Change the order.
Add 30 cargo tyres and 10 of the cheaper of our two 28" inner tubes.
It is 6'2" long, so it takes a large locker.
Ring 085 555 7788 and ask for Folake.
Write to ana.silva@mail.example that her parcel has come.
Her new address is ana_silva@mail.example; please change it.
Write to accounts@harrow-finch.example, not to sales@harrow-finch.example.
The tracking number is TN-20811 and the SKU is BR-PADR.
Ship order KF-310 to 14 Mill Lane, Ashcombe.
Is order PP-1044 still a draft? If so, confirm it!
Take a used helmet, a European plug, a one-way valve and a ukulele.
He is an honest man and an heir to an honour.
It was a historic day. It was an historic day.
A SKU is missing. An SKU is missing.
She has an LED lamp, a USB stick, an HDMI cable and a UV lamp.
A and B are both free; take A.
Either hall A or hall B is fine, but hall A is nearer.
I want plan A. If it is full, I want plan B.
Reserve the room from 9 am to 5 pm, please.
Reserve the room from 09:00 to 17:30, please.
I will check in in the morning. Have the key ready.
He logged in in March for the last time. Close the account.
The shop moved on on Monday, so change its address.
How many steps are there from 1 to 10? I mean in the manual of invoice 7.
Please: no calls before noon; no visits after 7 pm.
Wait... is that one free? Then take it.
Yes, yes, I know it is late. Cancel it all the same.
No, no: only the first of them.
It's James' coat, and that's Ana's hat. Hand both out.
The Smiths' house is on Mill Lane. Send the van there.
The customers' names are on the list; send each a letter.
My parents' room is too cold. Could they have another?
Somebody took my sister's bike. Block its lock.
The boss's keys are lost. Order a set.
The North Court's lights are out. Close it until Friday.
The Mill Lane Depot's stock has to be counted.
The Harrow Group's order is late. When was it due?
The Monday class's teacher is away. Find another.
That's the third time it broke. Retire it.
I'm Tendai Moyo. I've moved to Drumlea; please change my address.
Hi, it's me, Kofi. I can't come on Thursday.
Rock 'n' roll night is cancelled. Tell all 24 guests.
The '90s night is full; put me on the waiting list.
Get 'em all back by tomorrow.
Options: a) refund it, b) replace it. I would like the first.
Steps: 1) check her in, 2) issue the bill.
Here is what to do: cancel the first, keep the second, and move the third to 5 pm.
Lian Chen is early. Let Rufus go home, issue Lian Chen's bill and take all of it by card.
The pads are at B-02, the rotors at A-03. Take them in.
He paid £1,250, not £1,205.50. Correct that.
We took $12.05 too much from her. Pay it back.
The box weighs 32.5 kg and is 1.2 m long; which locker fits it?
The cable is .5 m too short. Send a longer one.
Does an €8 voucher cover it? A €9 voucher is all I have.
Does an £80 deposit cover it?
An 18-month plan is cheaper than a 12-month one. Switch me.
A 1-day pass will do. An 11 am start is fine.
An A4 frame and a B5 envelope, please.
He needs an L-shaped desk and a T-shirt.
I have an unusual wish: a uniform in green.
It is an unidentified parcel from an uninsured sender. Refuse it.
Use an e-bike or an ordinary one, whichever is free.
Take an old one or a "used" one.
Take an (unused) one.
The opening hours are Mon–Fri, 9 am–5 pm; keep to them.
The day after tomorrow she is back. Book her the same slot then.
Keep the booking on Friday 14 March but cancel the one on Saturday 15 March.
On Friday 14 March nobody is in. Close the desk.
What was the largest amount that she ever paid? In pounds and pence.
Who has borrowed most? Give the name only.
Which room is free at noon on 5 June 2026? Any will do!
Why was invoice 2047 sent twice? Void the later one.
I ordered the wrong size by mistake -- a medium instead of a large. Please swap it.
I ordered the wrong size – a medium instead of a large. Please swap it.
It's urgent! A customer is waiting at the counter.
Please see to it that Room 12 is cleaned, aired and locked.
There is a leak in aisle 4, bay 2. Move the stock of that bay to the emptiest bay of aisle 5.
Count what is left of batch 7 and write off the rest, i.e. what is past its date.
Use up the oldest batches first, then the next oldest, etc. until all 40 are packed.
St. Mary's ward is full. Is there a bed in the next one?
He lives at 12 Mill St. and has no phone. Write to him.
Ask Prof. Adeyemi, Mrs. Novak and Ms. Wu whether this Tuesday suits them.
The invoice of Harrow & Finch Ltd. is due. Pay it.
Is it from Harrow & Finch Ltd.? If so, pay it.
He comes at 7 p.m., she at 8 p.m. Book both.
Let the engineers of Quarrydale Lifts in at 8:30 am.
The class is full, isn't it? Then let nobody else in.
Nobody's booking may be touched but mine.
Cancel everything of mine but the session on Sunday 6 April at 10 am.
Issue the bill, claim Saffron's share of it, and take the rest by card.
Our best customer, Pedalero Postbikes, wants six instead of four. Change the quote.
Zola is a neutered female, born on 4 May 2022, 32.5 kg, no chip. Register her.
The dose (5 ml) was given twice. Remove the second entry.
Move the 3 pm to 4 pm, the 4 pm to 5 pm, and tell everyone.
Is 7:30 pm free? 8 pm would do too.
7:30 pm is too late for us. Is there an earlier one?
£20 is too much. Lower it to £15.
iPhone repairs are off until Monday. Hide them.
May I bring a friend on Sunday? She is not a member.
I paid in cash in May. Why does it say unpaid?
The one in March was fine. The one in April was not.
Ali Hassan lent it to Hassan Ali. Whose is it now?
She said she would be "about an hour late". Move her to the next free slot.
The room on the left is mine; the one on the right is hers. Swap them.
A refund of half the price is fine with her.
Please lend him any bike but the red one, as its brakes squeak.
Do it now, not later.
Both of them are his, so give him both.
How many of the 250 seats are still free tonight?
They each paid £12 and they each booked lessons. Who has booked more?
Every savings account of hers is to be closed.
Please put the parcels of order 77 together; two of them, both small, fit in one box.
Use the code 'SPRING20' and the file 'A5 (old)', and label it 'No. 7'.
Set the tags to ['old','new'].
Is it in the "3rd St."? Look it up.
As of today nobody may use the sauna. Cancel what is booked there and refund it in full.
""".strip().splitlines()


@pytest.mark.parametrize("text", GOOD)
def test_good_english_is_left_alone(text):
    assert problems(text) == []
    assert tidy(text) == text


def test_the_good_texts_are_many_and_differ():
    assert len(GOOD) == len(set(GOOD)) >= 150


def test_lines_may_be_wrapped():
    assert problems("Move its parcel to the smallest\nfree locker. Then\nreport it.") == []
    assert problems("Move it to the\nthe next one.") == ["a word twice: Move it to the\nthe next one."]


BAD = {
    "a word twice": [
        "Cancel the the booking.",
        "What it is is late.",
        "Ana Ana's invoice is due.",
        "Is is free?",
        "Pay it it today.",
        "It is on on Friday.",
    ],
    "a for an, or an for a": [
        "Take a hour off.",
        "Take an unit.",
        "Take a X-ray.",
        "Take an European plug.",
        "A invoice is due.",
        "It is late. An used one.",
        "An £5 note.",
        "Take a\nold one.",
        "Take a 8 mm bit.",
        "Take an MRI or a NHS form.",
        "Take a (online) course.",
    ],
    "a place left unfilled": [
        "Cancel {it}.",
        "Cancel it}.",
        "Cancel the <<court>>.",
        "@member Cancel it.",
        "Pay {total|money}.",
    ],
    "a value that is missing": [
        "Pay None today.",
        "Cancel null.",
        "It is NULL.",
        "It costs £NaN now.",
        "None is due.",
    ],
    "a name of a program": [
        "Cancel the hire_line.",
        "Set it to out_of_order.",
        "Use _id here.",
    ],
    "a day as computers write it": [
        "Book it for 2025-03-14.",
        "Book it for 2025-03-14T19:30:00.",
        "2025-03-14 is fine.",
    ],
    "a time as computers write it": [
        "Come at 19:30:00.",
        "Be there (09:00:00).",
    ],
    "a blank too many": [
        "Cancel  it.",
        " Cancel it.",
        "Cancel it. ",
    ],
    "a blank before a mark": [
        "Cancel it , please.",
        "Cancel it .",
        "Is it free ?",
        "Do: this ; that.",
    ],
    "no blank after a mark": [
        "Cancel it,please.",
        "Cancel it.Then pay.",
        "Is it free?Book it.",
    ],
    "a mark too many": [
        "Cancel it..",
        "Is it free??",
        "Cancel it!!",
        "Cancel it,, please.",
        "Is it free?.",
        "Cancel it,.",
        "What?! Pay.",
        "Wait....",
    ],
    "'on' before a day word": [
        "Book it on today.",
        "Book it on tomorrow at noon.",
        "On this Friday it is shut.",
        "It was on yesterday.",
    ],
    "the possessive of a name in s": [
        "Cancel James's booking.",
        "Cancel Greta Hughes’s booking.",
    ],
    "a possessive of nothing": [
        "Cancel Ana's's booking.",
        "Cancel my's booking.",
        "Pay them's bill.",
    ],
    "two determiners": [
        "Cancel the my booking.",
        "Give the a key.",
        "Pay my the bill.",
        "Cancel every the booking.",
        "The their keys.",
        "Take a the box.",
    ],
    "money with odd decimals": [
        "Pay £48.5 now.",
        "Pay $1.255 now.",
        "It is €1,250.0 now.",
    ],
    "a day or month in lower case": [
        "Come on friday.",
        "Come in june.",
        "It is shut on sundays.",
    ],
    "'I' in lower case": [
        "Can i come?",
        "May i've it?",
    ],
    "a sentence in lower case": [
        "cancel it.",
        "It is late. cancel it.",
        "Is it? then go.",
        "£5 is due. pay it.",
    ],
    "no mark at the end": [
        "Cancel it",
        "Cancel it,",
        "Cancel 'it'",
        "",
        "Pay (it)",
        "Do this:",
    ],
    "a plural after every or each": [
        "Pay every invoices.",
        "Pay each invoices today.",
        "Cancel every overdue invoices.",
        "Every Thursdays it is shut.",
        "Every cancelled bookings counts.",
        "Each late orders.",
    ],
    "'the' before a person's name": [
        "Cancel the Ana Silva's booking.",
        "Cancel the Greta Hughes' booking.",
        "The Juan Da Costa's invoice is due.",
    ],
    "a stop before a mark": [
        "Cancel it., and then go.",
        "Cancel it.; go.",
        "Is it late.?",
        "Reason: 'Rain.'.",
    ],
    "quotes or brackets unbalanced": [
        "Cancel it (now.",
        "Cancel it) now.",
        "Cancel it [now).",
        'Say "now.',
        "Say 'now please.",
        "Say now' please.",
        "Say “now.",
        "Say now”.",
        "Say ‘now.",
        "Cancel (it] now.",
    ],
}


@pytest.mark.parametrize(("what", "text"), [(what, text) for what, texts in BAD.items() for text in texts])
def test_what_grates_is_found(what, text):
    assert what in {found.partition(":")[0] for found in problems(text)}


@pytest.mark.parametrize("text", [text for texts in BAD.values() for text in texts])
def test_a_tidied_text_stays_so(text):
    assert tidy(tidy(text)) == tidy(text)


def test_problems_come_in_the_order_of_the_text_with_their_places():
    text = "Cancel the the booking of Ana on 2025-03-14 , please"
    assert problems(text) == [
        "a word twice: Cancel the the booking of Ana…",
        "a day as computers write it: …king of Ana on 2025-03-14 , please",
        "a blank before a mark: …a on 2025-03-14 , please",
        "no mark at the end: …-03-14 , please",
    ]


NOWS = [NOW, datetime(2024, 12, 28, 18, 0), datetime(2026, 2, 27, 8, 5), datetime(2024, 2, 29, 12, 0)]


def days(now, first, last):
    return [now.date() + timedelta(days=away) for away in range(first, last)]


def heard(words, now):
    """What the gates hear in a sentence that has no day, time or number but the words'."""
    return Sources(tidy(f"please see to it on {words} . nobody knows why"), now)


@pytest.mark.parametrize("now", NOWS, ids=str)
@pytest.mark.parametrize("how", ["day", "date"])
def test_a_day_that_is_said_is_heard_and_the_days_near_it_are_not(now, how):
    for day in days(now, -400, 800):
        said = heard(say(day.isoformat(), how, now), now)
        assert said.has(day.isoformat()), (day, how)
        # Tracing is generous: today is always heard, "Friday" is any Friday within a fortnight, and a year said in
        # vain. So near is within six days.
        for other in (
            day - timedelta(days=6),
            day - timedelta(days=1),
            day + timedelta(days=1),
            day + timedelta(days=5),
        ):
            assert other == now.date() or not said.has(other.isoformat()), (day, how, other)


@pytest.mark.parametrize("now", NOWS, ids=str)
def test_a_moment_that_is_said_is_heard_and_the_moments_near_it_are_not(now):
    for day in days(now, -12, 40):
        # From 1 am: "12:05 am" is an hour that tracing hears after noon, and nobody's opening hour.
        for at in [time(minute // 60, minute % 60) for minute in range(60, 1440, 35)]:
            moment = datetime.combine(day, at)
            said = heard(say(moment.isoformat(), "when", now), now)
            assert said.has(moment.isoformat())
            for other in (moment + timedelta(minutes=5), moment - timedelta(hours=1), moment + timedelta(hours=12)):
                assert other.date() != day or not said.has(other.isoformat()), (moment, other)
            for other in (moment - timedelta(days=1), moment + timedelta(days=2)):
                # Tracing is generous here too: the 7 of "14 March at 7 pm" is a day of March.
                also_a_time = other.day in (at.minute, (at.hour - 1) % 12 + 1)
                assert also_a_time or other.date() == now.date() or not said.has(other.isoformat()), (moment, other)


def test_a_time_that_is_said_is_heard_today():
    for minute in range(60, 1440):
        moment = datetime.combine(NOW.date(), time(minute // 60, minute % 60))
        assert heard(f"today at {say(moment.isoformat(), 'time', NOW)}", NOW).has(moment.isoformat())
        assert say(f"{moment:%H:%M}", "time", NOW) == say(moment.isoformat(), "time", NOW)


def test_money_that_is_said_is_heard_to_the_cent():
    # Tracing is generous: £1,111.11 is heard as 111.11 thousand too. So not every sum in cents, but most.
    for cents in (*range(0, 5000), *range(5000, 1_000_000, 313)):
        for sign in "£$€":
            said = heard(say(cents, "money", NOW, sign), NOW)
            assert said.has(cents)
        assert not said.has(cents + 1)
        assert not said.has(cents - 1)


def test_a_count_that_is_said_is_heard():
    for number in (*range(0, 2000), *range(2000, 100_000, 999)):
        said = heard(f"{say(number, 'count', NOW)} boxes", NOW)
        assert said.has(number)
        assert not said.has(number + 1)
        assert number < 1000 or not said.has(number + 100)


def test_a_said_day_is_unlike_every_other_said_day():
    for now in NOWS:
        for how in ("day", "date"):
            said = [say(day.isoformat(), how, now) for day in days(now, -400, 800)]
            assert len(set(said)) == len(said)


def test_this_weekday_is_never_today_and_never_a_week_away():
    for now in NOWS:
        for day in days(now, -20, 20):
            words = say(day.isoformat(), "day", now)
            if words.startswith("this "):
                assert words == f"this {WEEKDAYS[day.weekday()]}"
                assert timedelta(days=2) <= day - now.date() < timedelta(days=7)


@pytest.mark.parametrize("how", [how for how in HOWS if how])
def test_whatever_is_said_grates_nobody(how):
    numbers = {"money": 125050, "count": 7, "ordinal": 8}
    moment = how in ("day", "date", "weekday", "time", "when", "month")
    words = say(numbers.get(how, "2025-11-08T18:30:00" if moment else "Ana Hughes"), how, NOW)
    assert problems(tidy(f"she wrote {words} on it")) == []


def test_every_day_reads_well_in_a_sentence():
    for now in NOWS:
        for day in days(now, -30, 30):
            for at in ("07:00:00", "12:00:00", "18:30:00"):
                words = say(f"{day}T{at}", "when", now)
                assert problems(tidy(f"could you move it to {words}? on {words} it suits me")) == []


def test_dates_are_checked_by_the_calendar():
    assert say("2024-02-29", "date", datetime(2024, 1, 1)) == "29 February"
    with pytest.raises(ValueError, match="2025-02-29"):
        say("2025-02-29", "date", NOW)


WORDS = tomllib.loads((Path(__file__).parent.parent / "envs_data" / "vocabulary.toml").read_text("utf-8"))
SIZES = {"first_names": 220, "last_names": 260, "streets": 90, "towns": 70, "companies": 160}


def test_the_vocabulary_has_no_item_twice_and_no_name_of_two_kinds():
    assert {kind: len({item.lower() for item in items}) for kind, items in WORDS.items()} == SIZES
    assert {kind: len(items) for kind, items in WORDS.items()} == SIZES
    assert not set(WORDS["first_names"]) & set(WORDS["last_names"])  # else there would be an Adams Adams
    assert all(re.fullmatch("[A-Z][a-z]+", name) for name in WORDS["first_names"] + WORDS["last_names"])


@pytest.mark.parametrize("kind", SIZES)
def test_no_word_of_the_vocabulary_is_heard_as_a_day_or_a_number(kind):
    for item in WORDS[kind]:
        heard = Sources(f"{item}'s bill is 28.", NOW)
        assert not [month for month in range(1, 13) if heard.has(f"2025-{month:02}-28")], item
        assert not any(heard.has(number) for number in range(13)), item
        owner = say(item, "'s", NOW)
        assert problems(f"Pay {owner} bill to {item}.") == []

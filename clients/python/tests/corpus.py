"""A small plan handbook: for each document, a question that it alone answers."""

DOCUMENTS = {
    "acupuncture.md": (
        "How many acupuncture visits are covered for back pain?",
        "The plan has covered twelve acupuncture visits in ninety days for chronic back pain.",
    ),
    "hearing.md": (
        "What is the allowance for hearing aids?",
        "The allowance for hearing aids is one thousand dollars for each ear, every three years.",
    ),
    "ambulance.md": (
        "What do I pay for a ground ambulance trip?",
        "You pay two hundred dollars for a ground ambulance trip, and nothing if admitted.",
    ),
    "dental.md": (
        "How often are dental cleanings free?",
        "Dental cleanings are free twice in a calendar year; further cleanings cost forty dollars.",
    ),
    "insulin.md": (
        "What is the most that a month of insulin costs?",
        "A month of insulin costs at the most thirty-five dollars, whatever the pharmacy.",
    ),
    "fitness.md": (
        "Which fitness club membership is included?",
        "Included is a basic fitness club membership at any gym of the Harbour network.",
    ),
    "travel.md": (
        "Is emergency care abroad paid when I travel?",
        "Emergency care abroad is paid up to fifty thousand dollars when you travel for six weeks.",
    ),
    "glasses.md": (
        "How much is given towards new glasses?",
        "Towards new glasses one hundred and fifty dollars is given, once in two years.",
    ),
    "appeal.md": (
        "How long may I take to file an appeal?",
        "To file an appeal you may take sixty days, counted from the letter of refusal.",
    ),
    "referral.md": (
        "Do I need a referral to see a specialist?",
        "To see a specialist you need no referral, unless the specialist is out of network.",
    ),
}

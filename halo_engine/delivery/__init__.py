"""Mail: written from templates, its intent committed, sent, its outcome recorded (contract §9)."""

"""What other products' clients say, as calls of our doors: Segment's, RudderStack's, Customer.io's
(contract §13).
"""

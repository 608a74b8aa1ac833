def page(text):
    return f"<html><body>{text}</body></html>"

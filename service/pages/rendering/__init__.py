"""What the pages are rendered with: templates, addresses, charts, and the parts that several share."""

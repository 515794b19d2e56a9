"""SQL over everything that ever ran: tables, the process that answers, saved queries."""

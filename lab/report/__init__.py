"""Reports: what runs say, in chapters, for people.

From the bottom up:

    model      what a report is made of: chapters of text, tables and figures
    bootstrap  intervals that order statistics can't give (scipy, extra `report`)
    evidence   runs that may stand together, and what they have on a workload
    chapters   and the modules beside it: what each chapter says
    html       the page; its template and style are in `page.html` and `page.css`
    plain      the same as Markdown and as CSV
    readme     README's table
"""

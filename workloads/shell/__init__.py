"""The shell: POSIX's language, over programs that are processes.

From the bottom up:

    syntax        what a script is made of
    lexer         letters to tokens
    parser        tokens to the tree
    patterns      `*`, `?`, `[...]`
    arithmetic    `$(( ))`
    state         variables, functions, arguments
    expansion     words to arguments
    redirection   `<`, `>`, `2>&1`, here-documents
    jobs          what runs, in the foreground and behind it
    launching     commands as processes
    interpreter   the tree, carried out
    conditions    the builtin `test`
    printing      the builtins `echo` and `printf`
    builtins      what the shell does itself
"""

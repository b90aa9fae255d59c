"""The shell: POSIX's language, over programs that are processes.

From the bottom up:

    syntax        what a script is made of
    lexer         letters to tokens
    reader        one token ahead; redirections
    parser        tokens to the tree
    patterns      `*`, `?`, `[...]`
    arithmetic    `$(( ))`
    state         variables, functions, arguments
    expansion     words to arguments
    redirection   `<`, `>`, `2>&1`, here-documents
    jobs          what runs, in the foreground and behind it
    launching     commands as processes
    leaving       ways out of the middle
    commands      simple commands
    interpreter   the tree, carried out
    conditions    the builtin `test`
    printing      the builtins `echo` and `printf`
    settings      builtins that set something
    builtins      what else the shell does itself
    controls      builtins about jobs, and `read`
"""

"""A campaign of kills: services die at random instants under load, and nobody may notice.

Bottom up:

model      a file system in a dictionary, which knows nothing of the real one
clients, spawning
           what clients do, by chance; each records what it was told
killing    kills, of servers that are not given up for it
census     what processes, descriptors and memory a system has
campaign   the kills, and what is asked at the end
endurance  the same clients for a long time, without kills
"""

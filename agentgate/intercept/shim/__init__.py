"""The portable gate: programs found through PATH ask before they run. Holds nothing that goes around PATH."""

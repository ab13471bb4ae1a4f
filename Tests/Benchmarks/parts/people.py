"""Fills the user directory: as many people as a large server knows, who are all in one open room."""

from parts.copies import Copier

GIVEN = "ada ben cleo dora emil finn greta hugo ines jonas klara leon mia noah olga paul rosa sven tilda udo vera willi xenia yuri zoe".split()
FAMILY = "ackermann bauer cordes dietrich engel fischer gruber hahn igel jansen keller lorenz maurer neumann otto peters quast richter schulz thoma".split()


def make(databases, name, count):
    """Adds people to the four tables; each has a name of two words and a number."""
    given, family = (f"ARRAY[{', '.join(map(repr, words))}]" for words in (GIVEN, FAMILY))
    Copier(databases, name).sql(
        f"""CREATE TEMPORARY TABLE people AS SELECT '@person' || n || ':elsewhere.test' AS id, 'person' || n AS localpart,
        ({given})[n % {len(GIVEN)} + 1] || ' ' || ({family})[n / {len(GIVEN)} % {len(FAMILY)} + 1] || ' ' || n AS name
        FROM generate_series(1, {count}) AS n;
        INSERT INTO user_directory (user_id, display_name) SELECT id, name FROM people;
        INSERT INTO user_directory_search (user_id, vector) SELECT id, setweight(to_tsvector('simple', localpart), 'A')
        || setweight(to_tsvector('simple', 'elsewhere.test'), 'D') || setweight(to_tsvector('simple', name), 'B') FROM people;
        INSERT INTO users_in_public_rooms (user_id, room_id) SELECT id, '!people:elsewhere.test' FROM people;""")

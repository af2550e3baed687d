"""Prints the SQL of every migration of a Django project, for `pgdeploy init --from django --sql FILE`.

Run it where manage.py is, with an empty database in PGDEPLOY_SCRATCH, which it fills:
    PGDEPLOY_SCRATCH='{"HOST": "localhost", "PORT": "5432", "NAME": "empty", "USER": "me", "PASSWORD": ""}' python this.py > FILE
"""

import json
import os
import re
import sys

sys.path.insert(0, os.getcwd())
if "DJANGO_SETTINGS_MODULE" not in os.environ:
    found = re.search(r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([^'\"]+)['\"]", open("manage.py", encoding="utf-8").read())
    if not found:
        sys.exit("manage.py does not name DJANGO_SETTINGS_MODULE: set it in the environment")
    os.environ["DJANGO_SETTINGS_MODULE"] = found.group(1)

import django

django.setup()

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations import RunPython

if connection.vendor != "postgresql":
    sys.exit("the default database of the settings is %s and not postgresql" % connection.vendor)
if "PGDEPLOY_SCRATCH" not in os.environ:
    sys.exit("PGDEPLOY_SCRATCH names no database")
connection.settings_dict.update({"PASSWORD": "", **json.loads(os.environ["PGDEPLOY_SCRATCH"])})
connection.settings_dict["OPTIONS"] = {
    key: value for key, value in connection.settings_dict.get("OPTIONS", {}).items() if not key.startswith("ssl")
}
connection.close()

if connection.introspection.table_names():
    sys.exit("the database in PGDEPLOY_SCRATCH is not empty")

executor = MigrationExecutor(connection)
loader = executor.loader
collect = getattr(loader, "collect_sql", None) or executor.collect_sql


def not_carried(operations):
    for operation in operations:
        inner = getattr(operation, "database_operations", None)
        if inner is not None:
            yield from not_carried(inner)
        elif isinstance(operation, RunPython):
            code = operation.code
            if code is not RunPython.noop and getattr(code, "__name__", "") != "noop":
                yield "RunPython " + getattr(code, "__qualname__", repr(code))
        elif not getattr(operation, "reduces_to_sql", True):
            yield type(operation).__name__


for migration, _ in executor.migration_plan(loader.graph.leaf_nodes()):
    key = (migration.app_label, migration.name)
    try:
        statements = collect([(migration, False)])
    except Exception as error:
        sys.exit("%s.%s gives no SQL: %s: %s" % (*key, type(error).__name__, error))
    print("-- pgdeploy: django " + json.dumps({
        "app": migration.app_label,
        "name": migration.name,
        "after": sorted(".".join(parent.key) for parent in loader.graph.node_map[key].parents),
        "replaces": [".".join(each) for each in migration.replaces],
        "atomic": migration.atomic,
        "not_carried": list(not_carried(migration.operations)),
    }))
    with connection.cursor() as cursor:
        for statement in statements:
            print(statement)
            text = statement.strip()
            if text and not text.startswith("--") and text not in ("BEGIN;", "COMMIT;"):
                cursor.execute(statement)

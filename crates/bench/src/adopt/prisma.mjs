// node prisma_deploy.mjs URL MIGRATIONS_DIR [--only NAME,NAME] [--rolled-back NAME]: the schema engine of Prisma on a driver adapter.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const { PrismaPg } = require('@prisma/adapter-pg');
const { bindMigrationAwareSqlAdapterFactory } = require('@prisma/driver-adapter-utils');
const wasm = path.dirname(require.resolve('@prisma/schema-engine-wasm'));
const bg = await import(path.join(wasm, 'schema_engine_bg.js'));
const { instance } = await WebAssembly.instantiate(fs.readFileSync(path.join(wasm, 'schema_engine_bg.wasm')), { './schema_engine_bg.js': bg });
bg.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start?.();
const [url, dir, ...rest] = process.argv.slice(2);
const option = (name) => { const at = rest.indexOf(name); return at < 0 ? undefined : rest[at + 1]; };
const only = option('--only')?.split(',');
// The adapter cuts scripts at every semicolon; the engine as it is shipped sends a file whole, and so does this.
class Whole extends PrismaPg {
  async connect() { const connection = await super.connect(); connection.executeScript = async (script) => { await connection.client.query(script); }; return connection; }
}
const factory = bindMigrationAwareSqlAdapterFactory(new Whole({ connectionString: url }));
const engine = await bg.SchemaEngine.new({ datamodels: [['schema.prisma', 'datasource db {\n provider = "postgresql"\n}\n']] }, () => {}, factory);
const names = fs.readdirSync(dir, { withFileTypes: true }).filter((e) => e.isDirectory()).map((e) => e.name).filter((n) => !only || only.includes(n)).sort();
const list = (chosen) => ({
  baseDir: dir, shadowDbInitScript: '',
  lockfile: { path: 'migration_lock.toml', content: fs.readFileSync(path.join(dir, 'migration_lock.toml'), 'utf8') },
  migrationDirectories: chosen.map((name) => ({ path: name, migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: fs.readFileSync(path.join(dir, name, 'migration.sql'), 'utf8') } } })),
});
try {
  const back = option('--rolled-back');
  if (back) await engine.markMigrationRolledBack({ migrationName: back });
  else console.log(JSON.stringify(await engine.applyMigrations({ migrationsList: list(names), filters: { externalTables: [], externalEnums: [] } })));
} catch (error) { console.error(String(error.message ?? error)); process.exitCode = 1; }
process.exit();

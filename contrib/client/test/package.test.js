// SPDX-License-Identifier: BSD-2-Clause
// Proves that what `npm pack` makes installs elsewhere, has what it needs and nothing else, and runs.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterEach, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {ask, closeAll, friends, needsServer, open, told} from './kit.js';

afterEach(closeAll);

const top = fileURLToPath(new URL('..', import.meta.url));
const hasNpm = spawnSync('npm', ['--version']).status === 0;

const SCRIPT = `
import {TidingsClient} from 'tidings-client';
const [url, token, to, witness] = process.argv.slice(2);
const {WebSocket, observed} = await import(witness);
const client = new TidingsClient({url: await observed(url), token, WebSocket}).connect();
console.log((await client.send({to, content: 'from elsewhere'}).done).seq);
await client.close();
`;

function run(directory, command, ...args) {
    const {status, stdout, stderr} = spawnSync(command, args, {cwd: directory, encoding: 'utf8'});
    assert.equal(status, 0, stdout + stderr);
    return stdout;
}

test('npm pack', {...needsServer, skip: needsServer.skip || (hasNpm ? false : 'there is no npm')}, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tidings-pack-'));
    try {
        const [{filename, files}] = JSON.parse(run(top, 'npm', 'pack', '--json', '--pack-destination', directory));
        assert.deepEqual(files.map((f) => f.path).sort(),
            ['LICENSE', 'README.md', 'index.d.ts', 'package.json', ...readdirSync(`${top}src`).map((f) => `src/${f}`)].sort());
        writeFileSync(join(directory, 'package.json'), '{"private": true, "type": "module"}');
        run(directory, 'npm', 'install', '--offline', '--no-audit', '--no-fund', `./${filename}`);
        assert.deepEqual(readdirSync(join(directory, 'node_modules')).filter((f) => !f.startsWith('.')), ['tidings-client']);
        writeFileSync(join(directory, 'say.js'), SCRIPT);
        const [alice, bob] = await friends('alice', 'bob');
        const b = await open(bob);
        const said = run(directory, process.execPath, ...process.execArgv.filter((o) => !o.startsWith('--test')), 'say.js',
            process.env.TIDINGS_URL, await ask('token', alice), bob, new URL('witness.js', import.meta.url).href);
        assert.equal(said.trim(), '1');
        assert.deepEqual(await told(b, 1), ['from elsewhere']);
    } finally {
        rmSync(directory, {recursive: true});
    }
});

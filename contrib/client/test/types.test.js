// SPDX-License-Identifier: BSD-2-Clause
// Proves that the declarations fit the example, and that they name what the client has.
import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {Problem, TidingsClient} from '../src/index.js';

const top = fileURLToPath(new URL('..', import.meta.url));
const tsc = [`${top}node_modules/.bin/tsc`, 'tsc'].find((path) => spawnSync(path, ['--version']).status === 0);

test('the example passes the TypeScript compiler', {skip: tsc ? false : 'there is no tsc'}, () => {
    const {status, stdout} = spawnSync(tsc, ['-p', `${top}example/tsconfig.json`], {encoding: 'utf8'});
    assert.equal(status, 0, stdout);
});

test('each public member is declared, and the other way round', () => {
    const text = readFileSync(`${top}index.d.ts`, 'utf8');
    const declared = (name) => {
        const body = text.match(new RegExp(`^export (?:class|interface) ${name} .*?\\{\\n(.*?)^\\}`, 'ms'))[1];
        return [...body.matchAll(/^ {4}(?:readonly )?(\w+)[(<?:]/gm)].map((m) => m[1]).sort();
    };
    const members = (object) => Object.getOwnPropertyNames(object);
    const client = new TidingsClient({url: 'http://127.0.0.1/', WebSocket: class {}});
    const clientHas = [...members(TidingsClient.prototype), 'on', 'once', 'off'];
    assert.deepEqual([...new Set(declared('TidingsClient'))], [...new Set(clientHas)].sort());
    const inner = ['constructor', 'request', 'requestOnce'];
    assert.deepEqual(declared('Rest'), members(Object.getPrototypeOf(client.rest)).filter((n) => !inner.includes(n)).sort());
    const problem = new Problem('x');
    const problemHas = ['constructor', 'transient', 'aboutToken', ...Object.keys(problem).filter((n) => n !== 'name')];
    assert.deepEqual(declared('Problem'), problemHas.sort());
});

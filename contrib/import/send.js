#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// Sends lines to POST /admin/import in requests of a bounded size, one after the other, and tells what came of them. A
// request that fails is sent again, which doubles nothing. Ends with 1 where a line was refused.
//
//    node send.js --url http://127.0.0.1:8081 --token-file FILE [--chunk BYTES] < lines
import {createReadStream, readFileSync} from 'node:fs';
import {createInterface} from 'node:readline';
import {pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';

const CHUNK = 16 * 1024 * 1024; // the server takes up to 64 MiB
const TRIES = 10;
const WAIT_MAX_MS = 30000;

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** One request, until it is answered or there is no use in sending it again. */
async function post(url, token, body) {
    let last;
    for (let n = 1; n <= TRIES; n++) {
        let after = Math.min(500 * 2 ** n, WAIT_MAX_MS);
        try {
            const answer = await fetch(`${url}/admin/import`, {
                method: 'POST', body,
                headers: {Authorization: `Bearer ${token()}`, 'Content-Type': 'application/x-ndjson'},
            });
            if (answer.ok)
                return await answer.json();
            last = `${answer.status} ${await answer.text()}`;
            if (answer.status !== 503)
                break;
            after = Math.max(after, 1000 * (Number(answer.headers.get('Retry-After')) || 0));
        } catch (e) {
            last = e.cause?.message ?? e.message;
        }
        if (n < TRIES)
            await wait(after);
    }
    throw new Error(`${url}: ${last}`);
}

/**
 * Sends all lines of an (async) iterable. token: a function that gives one, called for each request. Returns
 * {imported, skipped, errors, errors_omitted}, where errors have the numbers of all lines that were given.
 */
export async function sendLines(lines, {url, token, chunk = CHUNK, progress = () => {}}) {
    const total = {imported: {}, skipped: 0, errors: [], errors_omitted: 0};
    let body = [], bytes = 0, first = 1, line = 0;
    const flush = async () => {
        if (body.length === 0)
            return;
        const got = await post(url, token, body.join('\n') + '\n');
        for (const [type, n] of Object.entries(got.imported))
            total.imported[type] = (total.imported[type] ?? 0) + n;
        total.skipped += got.skipped;
        total.errors.push(...got.errors.map((e) => ({...e, line: e.line + first - 1})));
        total.errors_omitted += got.errors_omitted;
        first = line + 1;
        body = [];
        bytes = 0;
        progress(line, total);
    };
    for await (const text of lines) {
        const size = Buffer.byteLength(text) + 1;
        if (bytes + size > chunk)
            await flush();
        line++;
        body.push(text);
        bytes += size;
    }
    await flush();
    return total;
}

async function main() {
    const {values} = parseArgs({options: {url: {type: 'string'}, 'token-file': {type: 'string'}, chunk: {type: 'string'}}});
    if (!values.url || !values['token-file'])
        throw new Error('usage: send.js --url http://127.0.0.1:8081 --token-file FILE [--chunk BYTES] < lines');
    const total = await sendLines(createInterface({input: createReadStream('', {fd: 0}), crlfDelay: Infinity}), {
        url: values.url.replace(/\/$/, ''),
        token: () => readFileSync(values['token-file'], 'utf8').trim(),
        chunk: Number(values.chunk) || CHUNK,
        progress: (line) => process.stderr.write(`${line} lines\n`),
    });
    for (const e of total.errors)
        console.error(`line ${e.line}: ${e.detail}`);
    if (total.errors_omitted !== 0)
        console.error(`and ${total.errors_omitted} more that were refused`);
    console.log(JSON.stringify({imported: total.imported, skipped: total.skipped}));
    process.exitCode = total.errors.length !== 0 ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
    main().catch((e) => {
        console.error(e.message);
        process.exitCode = 2;
    });

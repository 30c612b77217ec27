#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// Takes what the relay sends to other servers, and counts it: webhooks by HTTP, and pushes by HTTP/2 over TLS.
// GET /count tells {requests, events}, and GET /clear begins anew.
//
//    node contrib/bench/receiver.mjs [CERTIFICATE KEY]    prints the port of the one, or of both
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {createSecureServer} from 'node:http2';

const [certificate, key] = process.argv.slice(2);
let requests = 0, events = 0;

// A push is encrypted, and may begin with any byte.
function eventsIn(request, body) {
    const isBatch = request.headers['content-type'] === 'application/json' && body[0] === 0x5b;
    return isBatch ? JSON.parse(body).length : 1;
}

function take(request, response) {
    if (request.method === 'GET') {
        if (request.url === '/clear')
            requests = events = 0;
        response.end(JSON.stringify({requests, events}));
        return;
    }
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
        requests++;
        events += eventsIn(request, Buffer.concat(parts));
        response.statusCode = 201;
        response.end();
    });
}

const servers = [createServer(take)];
if (key !== undefined)
    servers.push(createSecureServer({cert: readFileSync(certificate), key: readFileSync(key), allowHTTP1: true}, take));
await Promise.all(servers.map((server) => new Promise((listens) => server.listen(0, '127.0.0.1', listens))));
console.log(servers.map((server) => server.address().port).join(' '));

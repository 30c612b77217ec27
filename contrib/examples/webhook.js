#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// A receiver of webhooks, to begin with: PORT SECRET_FILE. Prints each event once.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');

const [port, secretFile] = process.argv.slice(2);
const secret = fs.readFileSync(secretFile, 'latin1').replace(/\r?\n$/, '');
const OLDEST_SECS = 300;
const seen = new Set(); // ids of events; a real receiver keeps them where they outlive it

function isSigned(header, body) {
	const parts = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? '');
	if (!parts || Math.abs(Date.now() / 1000 - Number(parts[1])) > OLDEST_SECS)
		return false;
	const wanted = crypto.createHmac('sha256', Buffer.from(secret, 'latin1')).update(`${parts[1]}.`).update(body).digest();
	return crypto.timingSafeEqual(wanted, Buffer.from(parts[2], 'hex'));
}

function take(body) {
	for (const event of [JSON.parse(body)].flat()) {
		if (!seen.has(event.id))
			console.log(JSON.stringify(event));
		seen.add(event.id);
	}
}

http.createServer((request, response) => {
	const parts = [];
	request.on('data', (part) => parts.push(part));
	request.on('end', () => {
		const body = Buffer.concat(parts);
		const signed = request.method === 'POST' && isSigned(request.headers['tidings-signature'], body);
		if (signed)
			take(body);
		// Only once they are kept: what is not answered with 2xx comes again.
		response.writeHead(signed ? 204 : 401).end();
	});
}).listen(Number(port), '127.0.0.1');

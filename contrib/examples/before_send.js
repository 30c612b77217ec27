#!/usr/bin/env node
// SPDX-License-Identifier: BSD-2-Clause
// A server for before_send, to begin with: PORT SECRET_FILE. Masks "secret", refuses links to example.com, allows the rest.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');

const [port, secretFile] = process.argv.slice(2);
const secret = fs.readFileSync(secretFile, 'latin1').replace(/\r?\n$/, '');
const OLDEST_SECS = 300;

function isSigned(header, body) {
	const parts = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? '');
	if (!parts || Math.abs(Date.now() / 1000 - Number(parts[1])) > OLDEST_SECS)
		return false;
	const wanted = crypto.createHmac('sha256', Buffer.from(secret, 'latin1')).update(`${parts[1]}.`).update(body).digest();
	return crypto.timingSafeEqual(wanted, Buffer.from(parts[2], 'hex'));
}

// The rules: be quick, for the sender waits. `edit` is true where a message is edited.
function decide({message}) {
	const content = message.content ?? ''; // a picture may have none
	if (/\bexample\.com\b/i.test(content))
		return {action: 'refuse', detail: 'links to example.com are not allowed'};
	const masked = content.replace(/secret/gi, '******');
	return masked === content ? {action: 'allow'} : {action: 'replace', content: masked};
}

http.createServer((request, response) => {
	const parts = [];
	request.on('data', (part) => parts.push(part));
	request.on('end', () => {
		const body = Buffer.concat(parts);
		if (request.method !== 'POST' || !isSigned(request.headers['tidings-signature'], body)) {
			response.writeHead(401).end();
			return;
		}
		const answer = JSON.stringify(decide(JSON.parse(body)));
		response.writeHead(200, {'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(answer)}).end(answer);
	});
}).listen(Number(port), '127.0.0.1');

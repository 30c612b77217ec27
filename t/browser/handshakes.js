// SPDX-License-Identifier: BSD-2-Clause
// The handshakes of WebSockets that pass over one TCP connection, with what they are answered, which neither a browser nor
// Node.js shows whole. Each is given to `note` in the form that t/lib/Tidings/Witness.pm takes.

function parse(head) {
    const [first, ...lines] = head.split('\r\n');
    const fields = lines.map((line) => /^([^:]*):[ \t]*(.*?)[ \t]*$/.exec(line));
    return {first: first.split(' '), headers: Object.fromEntries(fields.map(([, name, value]) => [name.toLowerCase(), value]))};
}

export class Handshakes {
    #note;
    #request = null; // its bytes so far, from its first to the end of its answer
    #answer = '';

    constructor(note) {
        this.#note = note;
    }

    // Bytes to the server. A request is not sent before the last one is answered, so that it begins a bunch of bytes.
    sent(data) {
        const text = data.toString('latin1');
        if (this.#request !== null)
            this.#request += text;
        else if (/^GET \S*\/messages\/ws[? ]/.test(text))
            this.#request = text;
    }

    // and from it
    received(data) {
        if (this.#request === null)
            return;
        this.#answer += data.toString('latin1');
        const end = this.#answer.indexOf('\r\n\r\n');
        if (end < 0)
            return;
        const {first: [, status], headers: answerHeaders} = parse(this.#answer.slice(0, end));
        const body = this.#answer.slice(end + 4);
        const length = Number(answerHeaders['content-length'] ?? 0);
        if (body.length < length)
            return;
        const {first: [method, path], headers} = parse(this.#request.slice(0, this.#request.indexOf('\r\n\r\n')));
        this.#note({method, path, headers, body: '', answer: {status: Number(status), headers: answerHeaders,
            body: Buffer.from(body.slice(0, length), 'latin1').toString()}});
        this.#request = null;
        this.#answer = '';
    }

    // Joins two sockets, of which `far` leads to the server; when one ends the other does.
    join(near, far) {
        near.on('data', (data) => {
            this.sent(data);
            far.write(data);
        });
        far.on('data', (data) => {
            this.received(data);
            near.write(data);
        });
        for (const [socket, other] of [[near, far], [far, near]]) {
            socket.on('error', () => {});
            socket.on('close', () => other.destroy());
        }
    }
}

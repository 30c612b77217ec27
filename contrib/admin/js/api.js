// SPDX-License-Identifier: BSD-2-Clause
// The calls of the administration API and the figures of the node that serves this page, with one token.

const PATIENCE_MS = 10000;
const ENDINGS = ['token_invalid', 'token_expired', 'token_revoked', 'forbidden'];

// What the server answered instead; status 0 and the code `unreachable` where nobody answered.
export class Refused extends Error {
    constructor(status, code, detail = null) {
        super(code);
        Object.assign(this, {status, code, detail});
    }
}

export class Api {
    #token;
    #onEnded;

    // onEnded(code): the token is not accepted, or not any more.
    constructor(token, onEnded) {
        this.#token = token;
        this.#onEnded = onEnded;
    }

    // What the token says of itself, which only the server can prove: {sub, exp}; {} where it is no JWT.
    get claims() {
        try {
            const [, middle] = this.#token.split('.');
            const bytes = Uint8Array.from(atob(middle.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
            return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
        } catch {
            return {};
        }
    }

    // The answer, null where there is nothing to say; or throws Refused.
    async ask(method, path, body) {
        const response = await this.#fetch(path, {method, headers: {Authorization: `Bearer ${this.#token}`,
            ...body !== undefined && {'Content-Type': 'application/json'}}, body: body !== undefined ? JSON.stringify(body) : undefined});
        const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
        if (response.ok)
            return answer;
        const refused = new Refused(response.status, answer?.code ?? 'other', answer?.detail ?? String(response.status));
        if (ENDINGS.includes(refused.code))
            this.#onEnded(refused.code);
        throw refused;
    }

    stats() {
        return this.ask('GET', '/admin/stats');
    }

    // Prometheus' text, for which no token is needed.
    async metrics() {
        const response = await this.#fetch('/metrics', {});
        if (!response.ok)
            throw new Refused(response.status, 'other', String(response.status));
        return response.text();
    }

    async #fetch(path, options) {
        try {
            return await fetch(path, {...options, cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(PATIENCE_MS)});
        } catch {
            throw new Refused(0, 'unreachable');
        }
    }
}

// SPDX-License-Identifier: BSD-2-Clause
// What is wrong with the connection, and what the user can do about it.
import {el, icon, textButton} from './dom.js';
import {t} from './i18n.js';

const CONNECTING_SHOWN_MS = 1000; // most connections are quicker, and need no banner

export class Banner {
    #text = el('span');
    #button;
    #timer = null;
    node = el('div.banner', {role: 'status', hidden: true});

    // onUse(): use this account here
    constructor(onUse) {
        this.#button = textButton('small.light', t('state.use'), onUse);
        this.node.append(icon('alert'), this.#text, this.#button);
    }

    // state: of the client; kickedReason: said by the server, 'kicked' or 'replaced', or null
    show({state, retryInMs}, kickedReason) {
        clearTimeout(this.#timer);
        this.#button.hidden = state !== 'replaced';
        this.node.classList.toggle('bad', state === 'replaced');
        if (state === 'replaced') {
            const kicked = kickedReason === 'kicked';
            this.#button.textContent = t(kicked ? 'state.again' : 'state.use');
            this.#say(t(kicked ? 'state.kicked' : 'state.replaced'));
        } else if (state === 'waiting')
            this.#countDown(Date.now() + retryInMs);
        else if (state === 'connecting' && this.node.hidden)
            this.#timer = setTimeout(() => this.#say(t('state.connecting')), CONNECTING_SHOWN_MS);
        else if (state !== 'connecting')
            this.node.hidden = true;
    }

    #say(text) {
        this.#text.textContent = text;
        this.node.hidden = false;
    }

    #countDown(until) {
        const seconds = Math.ceil((until - Date.now()) / 1000);
        this.#say(seconds > 1 ? t('state.waiting', {seconds}) : t('state.waitingNow'));
        if (seconds > 1)
            this.#timer = setTimeout(() => this.#countDown(until), 1000);
    }
}

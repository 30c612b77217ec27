// SPDX-License-Identifier: BSD-2-Clause
// The microphone beside where one writes. Held: records until it is let go, and sends; to the left drops it. Pressed for a
// moment, or by keyboard: records until one says that it is to be sent, or not.
import {say} from './dialog.js';
import {el, icon, iconButton} from './dom.js';
import {duration} from './format.js';
import {t} from './i18n.js';
import {VoiceRecorder, canRecord} from './voice_recorder.js';

const HOLD_MS = 400; // shorter is a press
const CANCEL_PX = 90;
const SHORTEST_S = 0.6;
const LONGEST_S = 600;
const BARS = 40;

export class VoiceBar {
    #recorder = null;
    #held = null; // {x, at}: the finger or mouse that holds it
    #isLocked = false;
    #onSend;
    #onToggle;
    #time = el('span.voice-time', {});
    #wave = el('span.wave.live', {'aria-hidden': 'true'});
    #hint = el('span.voice-hint', {});
    #status = el('span.unseen', {role: 'status'});
    #drop = iconButton('trash', t('voice.cancel'), () => this.cancel());
    #send = el('button.voice-send', {type: 'button', 'aria-label': t('voice.send'), title: t('voice.send'), onclick: () => this.#finish()}, icon('send'));
    button = el('button.icon-button.record', {type: 'button', title: t('voice.record'), 'aria-label': t('voice.record')}, icon('mic'));
    node = el('div.voice-bar', {hidden: true, role: 'group', 'aria-label': t('voice.recording')}, this.#drop, el('span.voice-dot'), this.#time, this.#wave, this.#hint, this.#status, this.#send);

    // onSend({file, seconds, waveform}); onToggle(whether it records)
    constructor(onSend, onToggle) {
        this.#onSend = onSend;
        this.#onToggle = onToggle;
        this.button.hidden = !canRecord();
        this.button.addEventListener('pointerdown', (event) => this.#press(event));
        this.button.addEventListener('pointermove', (event) => this.#move(event));
        this.button.addEventListener('pointerup', () => this.#release());
        this.button.addEventListener('pointercancel', () => this.#held !== null && this.cancel());
        this.button.addEventListener('contextmenu', (event) => event.preventDefault());
        this.button.addEventListener('click', (event) => event.detail === 0 && this.#begin(true)); // by keyboard, or a screen reader
        this.node.addEventListener('keydown', (event) => {
            if (event.key !== 'Escape')
                return;
            event.stopPropagation();
            this.cancel();
        });
        document.addEventListener('visibilitychange', () => document.hidden && this.#held !== null && this.cancel());
    }

    get isRecording() {
        return this.#recorder !== null;
    }

    #press(event) {
        if (event.button !== 0 || this.isRecording)
            return;
        event.preventDefault();
        this.button.setPointerCapture(event.pointerId);
        this.#held = {x: event.clientX, at: performance.now()};
        this.#begin(false);
    }

    #move({clientX}) {
        if (this.#held === null)
            return;
        const left = this.#held.x - clientX;
        this.node.style.setProperty('--pulled', `${Math.max(0, Math.min(CANCEL_PX, left))}px`);
        if (left > CANCEL_PX)
            this.cancel();
    }

    #release() {
        if (this.#held === null)
            return;
        const isPress = performance.now() - this.#held.at < HOLD_MS;
        this.#held = null;
        if (isPress)
            this.#lock();
        else
            this.#finish();
    }

    #lock() {
        this.#isLocked = true;
        this.#show();
        this.#send.focus();
    }

    async #begin(locked) {
        if (this.isRecording)
            return;
        const recorder = new VoiceRecorder((loudness, seconds) => this.#heard(loudness, seconds));
        this.#recorder = recorder;
        this.#isLocked = locked;
        this.#wave.replaceChildren();
        this.#time.textContent = duration(0);
        this.#show();
        this.#onToggle(true);
        if (locked)
            this.#send.focus();
        try {
            await recorder.start();
        } catch (error) {
            say(t(error.name === 'NotAllowedError' ? 'voice.denied' : 'voice.noMicrophone'));
            if (this.#recorder === recorder)
                this.#end();
        }
    }

    #show() {
        this.node.hidden = !this.isRecording;
        this.node.classList.toggle('locked', this.#isLocked);
        this.button.classList.toggle('recording', this.isRecording);
        this.button.hidden = !canRecord() || (this.isRecording && this.#isLocked);
        this.#drop.hidden = this.#send.hidden = !this.#isLocked;
        this.#hint.hidden = this.#isLocked;
        this.#hint.textContent = t('voice.swipe');
        this.#status.textContent = this.isRecording ? t('voice.recording') : '';
        this.node.style.setProperty('--pulled', '0px');
    }

    #heard(loudness, seconds) {
        this.#time.textContent = duration(Math.floor(seconds));
        const bar = el('span');
        bar.style.height = `${Math.round(15 + 85 * loudness)}%`;
        this.#wave.append(bar);
        if (this.#wave.childElementCount > BARS)
            this.#wave.firstChild.remove();
        if (seconds >= LONGEST_S)
            this.#finish();
    }

    async #finish() {
        const recorder = this.#recorder;
        if (recorder === null)
            return;
        const {seconds} = recorder;
        this.#end();
        const recorded = seconds >= SHORTEST_S ? await recorder.stop() : null;
        if (recorded !== null)
            this.#onSend(recorded);
        else {
            recorder.cancel();
            say(t('voice.tooShort'));
        }
    }

    cancel() {
        const recorder = this.#recorder;
        if (recorder === null)
            return;
        this.#end();
        recorder.cancel();
    }

    #end() {
        const hadFocus = this.node.contains(document.activeElement);
        this.#recorder = null;
        this.#held = null;
        this.#isLocked = false;
        this.#show();
        this.#onToggle(false);
        if (hadFocus)
            this.button.focus();
    }
}

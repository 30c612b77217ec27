// SPDX-License-Identifier: BSD-2-Clause
// A short sound for a new message, if the user has asked for it.
import {lasting} from './storage.js';

const KEY = 'tidings-web:sound';
const PAUSE_MS = 1000; // many messages at once sound like one
const NOTES = [[880, 0], [1174.7, 0.09]]; // hertz, seconds from the beginning
const LENGTH = 0.28; // of a note, in seconds
const VOLUME = 0.12;

let context = null;
let playedAt = -Infinity;

export function soundWanted() {
    return lasting.getItem(KEY) === 'yes';
}

// Choosing it plays it once: browsers allow a page sounds only after it was used.
export function wantSound(wanted) {
    lasting.setItem(KEY, wanted ? 'yes' : 'no');
    playSound();
}

export function playSound() {
    if (!soundWanted() || !globalThis.AudioContext || performance.now() - playedAt < PAUSE_MS)
        return;
    playedAt = performance.now();
    context ??= new AudioContext();
    context.resume().then(() => NOTES.forEach(([pitch, after]) => playNote(pitch, context.currentTime + after)), () => {});
}

function playNote(pitch, at) {
    const tone = context.createOscillator(), volume = context.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(VOLUME, at);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + LENGTH);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + LENGTH);
}

// SPDX-License-Identifier: BSD-2-Clause
// Plays a voice message or other sound: its waveform, where it is, and how fast. One plays at a time.
import {bdi, el, icon} from './dom.js';
import {duration} from './format.js';
import {t} from './i18n.js';

const SPEEDS = [1, 1.5, 2];
const BARS = 40;
const LEVEL_MAX = 31; // of what a message tells
let playing = null; // the <audio>
let speed = 1;

// Levels from 0 to 1, BARS of them; a sender may tell anything.
export function levels(waveform) {
    const given = Array.isArray(waveform) && waveform.length > 0 && waveform.every((v) => typeof v === 'number' && v >= 0 && v <= LEVEL_MAX) ? waveform.slice(0, 1000) : null;
    return Array.from({length: BARS}, (_, i) => (given === null ? 0.25 : given[Math.floor(i * given.length / BARS)] / LEVEL_MAX));
}

export function bars(waveform) {
    return el('span.wave', {'aria-hidden': 'true'}, levels(waveform).map((level) => {
        const bar = el('span');
        bar.style.height = `${Math.round(15 + 85 * level)}%`;
        return bar;
    }));
}

// name: of a file, or null. current(): a promise of its URL; renew(url): of another where that does not work. seconds: how long it is, or null.
export function audioPlayer({name, current, renew, seconds, waveform, label}) {
    const audio = el('audio', {preload: 'none'});
    let url = null, renewed = false, wanted = 0; // where to begin
    const wave = bars(waveform);
    const length = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : seconds ?? 0);
    const time = el('span.media-note.voice-time', {}, seconds === null ? '' : duration(seconds));
    const seek = el('input.voice-seek', {type: 'range', min: '0', max: '1000', value: '0', 'aria-label': t('voice.position')});
    const play = el('button.voice-play', {type: 'button', 'aria-label': t('voice.play'), title: t('voice.play')}, icon('play'));
    const rate = el('button.voice-speed', {type: 'button', hidden: true, title: t('voice.speed')});
    const showRate = () => {
        rate.textContent = `${speed}×`;
        rate.setAttribute('aria-label', t('voice.speedNow', {speed}));
    };
    const show = () => {
        const share = length() > 0 ? Math.min(1, audio.currentTime / length()) : 0;
        seek.value = Math.round(1000 * share);
        seek.setAttribute('aria-valuetext', duration(audio.currentTime));
        [...wave.children].forEach((bar, i) => bar.classList.toggle('heard', i < share * BARS));
        const shown = audio.paused && audio.currentTime === 0 ? length() : audio.currentTime;
        time.textContent = shown > 0 || seconds !== null ? duration(shown) : '';
    };
    const start = async () => {
        if (playing !== audio)
            playing?.pause();
        playing = audio;
        url ??= await current();
        if (!audio.src)
            audio.src = url;
        audio.playbackRate = speed;
        try {
            await audio.play();
        } catch (error) {
            if (error.name !== 'AbortError')
                await again();
        }
    };
    const again = async () => {
        if (renewed) {
            time.textContent = t('voice.failed');
            return;
        }
        renewed = true;
        try {
            audio.src = url = await renew(url);
            await audio.play();
        } catch {
            time.textContent = t('voice.failed');
        }
    };
    play.addEventListener('click', () => (audio.paused ? start() : audio.pause()));
    rate.addEventListener('click', () => {
        speed = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length];
        audio.playbackRate = speed;
        showRate();
    });
    seek.addEventListener('input', () => {
        wanted = seek.value / 1000 * length();
        if (audio.readyState > 0)
            audio.currentTime = wanted;
        else
            start();
    });
    audio.addEventListener('loadedmetadata', () => {
        audio.playbackRate = speed;
        if (wanted > 0)
            audio.currentTime = wanted;
    });
    for (const name of ['play', 'pause', 'ended']) {
        audio.addEventListener(name, () => {
            const isOn = !audio.paused && !audio.ended;
            play.replaceChildren(icon(isOn ? 'pause' : 'play'));
            play.setAttribute('aria-label', t(isOn ? 'voice.pause' : 'voice.play'));
            play.title = t(isOn ? 'voice.pause' : 'voice.play');
            rate.hidden = !isOn && audio.currentTime === 0;
            showRate();
        });
    }
    audio.addEventListener('ended', () => {
        wanted = 0;
        audio.currentTime = 0;
    });
    audio.addEventListener('timeupdate', show);
    show();
    return el('div.media-voice', {role: 'group', 'aria-label': name ?? label}, name && el('span.file-name', {}, bdi(name)), audio, play, el('span.voice-track', {}, wave, seek), time, rate);
}

# SPDX-License-Identifier: BSD-2-Clause
# Proves voice messages on the chat page: held and let go, pressed, by keyboard, dropped by a swipe or Escape, without a
# microphone; how they are shown and played on the other side.
use utf8;
use Tidings;
use Tidings::Web;

my $missing = Tidings::Browser::missing();
plan skip_all => $missing if $missing;
binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);
my $dir = Tidings::dir();
mkdir "$dir/media" or die "$dir/media: $!\n";
my $web = Tidings::Web->start(conf => {media => {directory => "$dir/media"}});
my $t = $web->t;
$t->befriend(qw(ann ben));
$t->api('ann')->post('/messages/conversations/create', {user_id => 'ben'});
my $ann = $web->enter('ann', permissions => ['microphone']);
my $ben = $web->enter('ben');
$ann->open_chat('ben');
$ben->open_chat('ann');
my $last = q{[...document.querySelectorAll('.message')].at(-1)};
sub wait_voice { my ($page, $n) = @_; $page->wait_value("document.querySelectorAll('.media-voice').length === $n"); return $page }
sub wait_recorded { my ($page, $bars) = @_; $page->wait_value("document.querySelector('.wave.live').childElementCount >= $bars"); return $page }
sub stored { return $t->api('ann')->get('/messages/conversations')->json->{items}[0]{last_message} }

subtest 'held' => sub {
	$ann->hover('.record')->mouse_down;
	wait_recorded($ann, 20);
	ok $ann->value(q{document.querySelector('.voice-hint').checkVisibility() && !document.querySelector('#compose').checkVisibility()}), 'while it records one sees how to drop it';
	$ann->mouse_up;
	wait_voice($_, 1) for $ann, $ben;
	my $m = stored();
	is $m->{message_type}, 'voice', 'let go, it is sent';
	cmp_ok $m->{extra}{duration}, '>=', 0.8, 'with its length';
	ok @{$m->{extra}{waveform}} >= 10 && !(grep { !/\A\d+\z/ || $_ > 31 } @{$m->{extra}{waveform}}) && (grep { $_ == 31 } @{$m->{extra}{waveform}}), 'and its waveform';
	my ($id) = $m->{media_url} =~ /([0-9a-f]{32})/;
	is $t->api('ben')->get("/media/$id/info")->json->{content_type}, 'audio/webm', 'it is sound';
};

subtest 'played' => sub {
	is $ben->value(q{document.querySelector('.media-voice').getAttribute('aria-label')}), 'Voice message, Ann', 'it says what it is';
	cmp_ok $ben->value(q{new Set([...document.querySelectorAll('.media-voice .wave span')].map((b) => b.style.height)).size}), '>', 1, 'the waveform is drawn';
	is $ben->value(q{document.querySelector('.media-voice audio').currentSrc}), '', 'nothing is loaded before';
	# It is short: slowly, so that it does not end before one has looked at it.
	$ben->click('.voice-play')->wait_value(q{(() => { const audio = document.querySelector('.media-voice audio'); audio.playbackRate = 0.0625; return audio.currentTime > 0; })()});
	ok $ben->value(q{document.querySelector('.voice-play').getAttribute('aria-label') !== 'x' && document.querySelector('.voice-speed').checkVisibility()}), 'it plays';
	$ben->click('.voice-speed')->wait_text('.voice-speed', '1.5×');
	is $ben->value(q{document.querySelector('.media-voice audio').playbackRate}), 1.5, 'faster';
	$ben->wait_value(q{document.querySelector('.media-voice audio').ended || document.querySelector('.media-voice audio').currentTime === 0});
	is $ben->value(q{document.querySelector('.voice-play').getAttribute('aria-label')}), 'Play', 'to its end';
};

subtest 'pressed, and by keyboard' => sub {
	$ann->click('.record');
	wait_recorded($ann, 15);
	ok $ann->value(q{document.activeElement.matches('.voice-send')}), 'it goes on until one says that it is to be sent';
	$ann->key('Enter');
	wait_voice($_, 2) for $ann, $ben;
	$ann->wait_value(q{document.activeElement.id === 'compose'});
	$ann->key('Tab') until $ann->value(q{document.activeElement.matches('.record')});
	$ann->key('Enter');
	wait_recorded($ann, 5);
	$ann->key('Escape');
	ok $ann->value(q{!document.querySelector('.voice-bar').checkVisibility() && document.activeElement.matches('.record')}), 'Escape drops it';
	is $ann->count('.message'), 2, 'nothing is sent';
	$ann->type('#compose', 'x');
	ok !$ann->value(q{document.querySelector('.record').checkVisibility()}), 'there is none beside a text';
	$ann->key('Backspace');
};

subtest 'dropped' => sub {
	my $x = $ann->value(q{(() => {const r = document.querySelector('.record').getBoundingClientRect(); return [r.x + 20, r.y + 20]})()});
	$ann->hover('.record')->mouse_down;
	wait_recorded($ann, 15);
	$ann->mouse_to($x->[0] - 50, $x->[1]);
	cmp_ok $ann->value(q{parseInt(document.querySelector('.voice-bar').style.getPropertyValue('--pulled'))}), '>', 30, 'it follows';
	$ann->mouse_to($x->[0] - 150, $x->[1]);
	ok !$ann->value(q{document.querySelector('.voice-bar').checkVisibility()}), 'a swipe to the left drops it';
	$ann->mouse_up;
	is $ann->count('.message'), 2, 'nothing is sent';
};

subtest 'a phone, in Chinese, without a microphone' => sub {
	my $phone = $web->enter('ben', width => 360, height => 640, mobile => 1, before => q{localStorage.setItem('tidings-web:language', 'zh')});
	$phone->open_chat('ann');
	ok $phone->value(q{document.querySelector('.record').checkVisibility() && !document.querySelector('.compose-row > .send').checkVisibility()}), 'in place of the button to send';
	$phone->click('.record')->wait_text('.note', '麦克风');
	ok !$phone->value(q{document.querySelector('.voice-bar').checkVisibility()}), 'it says why there is none';
	ok $phone->value("(() => {const r = $last.querySelector('.bubble').getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && document.documentElement.scrollWidth <= innerWidth})()"), 'what came has room';
	my @nameless = grep { $_->[1] eq '' } $phone->accessible;
	is_deeply \@nameless, [], 'everything has a name';
	is_deeply [$phone->own_faults], [], 'no fault';
};

is_deeply [map { $_->own_faults } $ann, $ben], [], 'no error in the consoles, nothing refused by the policy';
if (my $folder = $ENV{TIDINGS_SHOTS}) {
	$ann->screenshot("$folder/voice.png");
}
$web->stop;
done_testing;

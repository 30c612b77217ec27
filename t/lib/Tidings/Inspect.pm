# SPDX-License-Identifier: BSD-2-Clause
# The media process without a server: t/inspect_files.c, which is a worker's side of it. And what test files are made of.
#
#	my $i = Tidings::Inspect->new(children => 2);
#	my ($r) = $i->look('/path/to/file');   # {status, reason, type, width, height, duration_ms, blurhash, thumb, clean, ms, path}
package Tidings::Inspect;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use IPC::Open2 qw(open2);
use JSON::PP;
use Tidings ();
use Tidings::Util qw(run slurp);

our @EXPORT_OK = qw(vips header_of make_clip);

my $build = abs_path($ENV{TIDINGS_BUILD} // '.');

sub new {
	my ($class, %o) = @_;
	my $self = bless {}, $class;
	# Its children end by the sandbox's signals, and its libraries keep what they need for their life.
	local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';
	$self->{pid} = open2($self->{out}, $self->{in}, "$build/t/inspect_files", "$build/tidings-media", $o{children} // 2);
	$self->{media} = readline $self->{out};
	chomp $self->{media};
	return $self;
}

sub say { my ($self, @lines) = @_; print {$self->{in}} map { "$_\n" } @lines; $self->{in}->flush; return }
# The next answer, whichever file's it is.
sub next_answer {
	my ($self) = @_;
	my $line = readline $self->{out};
	die "the driver of the media process has ended\n" if !defined $line;
	return JSON::PP->new->utf8->decode($line);
}

# The answers, in the order of the files.
sub look {
	my ($self, @files) = @_;
	my %got;
	$self->say(@files);
	for (@files) { my $r = $self->next_answer; $got{$r->{path}} = $r }
	return @got{@files};
}

# The media process has died: the next one.
sub restart { my ($self) = @_; $self->say('!restart'); $self->{media} = readline $self->{out}; chomp $self->{media}; return }

sub children { my ($self) = @_; return Tidings::Util::children_of($self->{media}) }

# 0 where all went well.
sub stop { my ($self) = @_; close $self->{in}; 1 while defined readline $self->{out}; waitpid $self->{pid}, 0; delete $self->{pid}; return $? }
sub DESTROY { my ($self) = @_; local $?; kill 'KILL', $self->{media}, $self->{pid} if $self->{pid}; return }

# libvips' command line; its output.
sub vips {
	my (@args) = @_;
	my ($status, $out, $err) = run(Tidings::dir(), 'vips', @args);
	die "vips @args: $err" if $status;
	return $out;
}

# All that libvips knows of a picture: name => value.
sub header_of {
	my ($path) = @_;
	my ($status, $out, $err) = run(Tidings::dir(), 'vipsheader', '-a', $path);
	return if $status;
	return map { /^([\w.-]+): (.*)/ ? ($1 => $2) : () } split /\n/, $out;
}

sub make_clip {
	my ($path, @args) = @_;
	my ($status, $out, $err) = run(Tidings::dir(), 'ffmpeg', '-nostdin', '-v', 'error', '-y', @args, $path);
	die "ffmpeg @args: $err" if $status;
	return $path;
}

1;

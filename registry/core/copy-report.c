#include "registry/core/copy-report.h"

#include <stdarg.h>
#include <stdio.h>

void copy_report_init(struct copy_report *report, const struct copy_options *options)
{
    *report = (struct copy_report){
        .options = options,
        .looking = {.step = "looking", .unit = "repositories"},
        .copying = {.step = "copying", .unit = "blobs"},
    };
    pthread_mutex_init(&report->lock, NULL);
}

void copy_report_done(struct copy_report *report)
{
    pthread_mutex_destroy(&report->lock);
}

static void show(const struct copy_report *report, const struct progress *progress)
{
    if (report->options->progress)
        report->options->progress(report->options->progress_object, progress);
}

void copy_report_look(struct copy_report *report, uint64_t repositories)
{
    pthread_mutex_lock(&report->lock);
    report->looking.total = repositories;
    show(report, &report->looking);
    pthread_mutex_unlock(&report->lock);
}

void copy_report_looked(struct copy_report *report)
{
    pthread_mutex_lock(&report->lock);
    report->looking.done++;
    show(report, &report->looking);
    pthread_mutex_unlock(&report->lock);
}

void copy_report_expect(struct copy_report *report, int64_t blobs, int64_t bytes)
{
    pthread_mutex_lock(&report->lock);
    report->copying.total += (uint64_t)blobs;
    report->copying.bytes_total += (uint64_t)bytes;
    pthread_mutex_unlock(&report->lock);
}

void copy_report_progress(struct copy_report *report, uint64_t blobs, uint64_t bytes)
{
    pthread_mutex_lock(&report->lock);
    report->copying.done += blobs;
    report->copying.bytes_done += bytes;
    show(report, &report->copying);
    pthread_mutex_unlock(&report->lock);
}

void copy_report_damage(struct copy_report *report, const char *format, ...)
{
    char line[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    pthread_mutex_lock(&report->lock);
    report->result.damaged++;
    if (report->options->say)
        report->options->say(report->options->object, line);
    pthread_mutex_unlock(&report->lock);
}

void copy_report_count(struct copy_report *report, uint64_t *member)
{
    pthread_mutex_lock(&report->lock);
    (*member)++;
    pthread_mutex_unlock(&report->lock);
}

void copy_report_blob(struct copy_report *report, uint64_t size)
{
    pthread_mutex_lock(&report->lock);
    report->result.blobs++;
    report->result.bytes += size;
    pthread_mutex_unlock(&report->lock);
}
